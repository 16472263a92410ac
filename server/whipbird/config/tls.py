"""HTTPS: its certificate, and what becomes of plain HTTP."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from . import values


class TlsSettings(BaseModel):
    """HTTPS: its certificate, and what becomes of plain HTTP."""

    tls_cert: Annotated[Path | None, BeforeValidator(values.file)] = Field(
        default=None,
        description="File with the certificate for HTTPS, then those of its issuers, "
        "in PEM. HTTPS has the port of HTTP. A file that changes is read again.",
    )
    tls_key: Annotated[
        Path | None,
        BeforeValidator(values.file),
        AfterValidator(values.with_certificate_file),
    ] = Field(
        default=None,
        validate_default=True,
        description="File with the private key of the certificate, in PEM.",
    )
    tls_self_signed: Annotated[bool, AfterValidator(values.without_certificate)] = (
        Field(
            default=False,
            description="Make a certificate for HTTPS, for a local network: browsers "
            "warn of it, but let pages use the camera. It is kept in --state-folder.",
        )
    )
    state_folder: Annotated[Path | None, BeforeValidator(values.state_folder)] = Field(
        default=None,
        description="Folder for what is kept between starts; by default that of "
        "systemd, or whipbird in $XDG_STATE_HOME or ~/.local/state.",
    )
    tls_redirect: Annotated[bool, AfterValidator(values.with_certificate)] = Field(
        default=False,
        description="Redirect plain HTTP to HTTPS, but for /healthz and /readyz.",
    )
    hsts: Annotated[int, AfterValidator(values.with_certificate)] = Field(
        default=0,
        ge=0,
        le=3_153_600_000,
        description="Seconds for which browsers are to use HTTPS only "
        "(Strict-Transport-Security); 0 to leave it to them.",
    )
