"""The Kubernetes manifest: its schemas, and that it fits the server."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.server import ROOT
from whipbird.app import create_app
from whipbird.config import Settings

from .settings_of import settings_of

MANIFEST = ROOT / "deploy/kubernetes/whipbird.yaml"
# The oldest that the manifest says, and the newest that there is a schema of.
VERSIONS = ("1.29", kubernetes_validate.latest_version())


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """The resources by kind."""
    text = MANIFEST.read_text(encoding="utf-8")
    return {resource["kind"]: resource for resource in yaml.safe_load_all(text)}


@pytest.fixture
def pod(resources: dict[str, Any]) -> Any:
    return resources["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:
    (found,) = pod["containers"]
    return found


@pytest.fixture
def settings(
    resources: dict[str, Any],
    pod: Any,
    container: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """The settings of a pod, whose secrets are files here."""
    environment: dict[str, str] = resources["ConfigMap"]["data"]
    volumes = {volume["name"]: volume["secret"] for volume in pod["volumes"]}
    places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(volumes) == set(places.values())
    for name, value in environment.items():
        place, _, file = value.rpartition("/")
        if place in places:
            local = tmp_path / file
            local.write_text("0123456789abcdef0123456789abcdef")
            environment = {**environment, name: str(local)}
        else:
            assert not value.startswith("/"), f"{name}: nothing is mounted there"
    return settings_of({**environment, "WHIPBIRD_HOST": "0.0.0.0"}, monkeypatch)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_follows_the_schemas(resources: dict[str, Any], version: str) -> None:
    assert set(resources) == {"ConfigMap", "Service", "Deployment"}
    for resource in resources.values():
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_schemas_find_mistakes(resources: dict[str, Any]) -> None:
    mistakes: list[dict[str, Any]] = [{"ports": [{"port": "8080"}]}, {"prots": []}]
    for wrong in mistakes:
        service = {**resources["Service"], "spec": wrong}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(service, VERSIONS[0], strict=True)


def test_one_number(
    resources: dict[str, Any], container: Any, settings: Settings
) -> None:
    """Clients are told the number that the server has inside."""
    ports = {port["name"]: port for port in container["ports"]}
    assert {port["protocol"] for port in ports.values()} == {"TCP", "UDP"}
    for port in resources["Service"]["spec"]["ports"]:
        target = ports[port["targetPort"]]
        assert port["protocol"] == target["protocol"]
        assert port["port"] == target["containerPort"] == settings.port
    assert settings.udp_port is None
    assert len(resources["Service"]["spec"]["ports"]) == 2


def test_its_settings(settings: Settings, resources: dict[str, Any], pod: Any) -> None:
    """The certificate is that of a kubernetes.io/tls secret; the token is a file."""
    assert settings.shared_token is not None
    assert settings.link_secret is not None
    assert (settings.tls_cert or Path()).name == "tls.crt"
    assert (settings.tls_key or Path()).name == "tls.key"
    assert settings.hide_host_addresses
    assert settings.public_addresses
    assert 0 < settings.drain < pod["terminationGracePeriodSeconds"] - 10
    # Kubernetes would set WHIPBIRD_PORT=tcp://… for the Service of this name.
    assert pod["enableServiceLinks"] is False
    (source,) = (c["envFrom"] for c in pod["containers"])
    name = resources["ConfigMap"]["metadata"]["name"]
    assert source == [{"configMapRef": {"name": name}}]


def test_its_probes_are_answered(container: Any) -> None:
    paths = {
        route.resource.canonical
        for route in create_app(Settings()).router.routes()
        if route.resource is not None
    }
    ports = {port["name"] for port in container["ports"] if port["protocol"] == "TCP"}
    for name, path in (
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ):
        asked = container[name]["httpGet"]
        assert asked["path"] == path
        assert path in paths
        assert asked["port"] in ports


def test_one_selector_one_pod(resources: dict[str, Any]) -> None:
    deployment = resources["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert resources["Service"]["spec"]["selector"] == labels
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}


def test_it_has_few_rights(pod: Any, container: Any) -> None:
    """The "restricted" Pod Security Standard."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_it_says_how_its_secrets_are_made(pod: Any, resources: dict[str, Any]) -> None:
    """The commands at its top, and those of docs/deployment.md."""
    names = [volume["secret"]["secretName"] for volume in pod["volumes"]]
    text = MANIFEST.read_text(encoding="utf-8")
    guide = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    files = [
        value.rpartition("/")[2]
        for name, value in resources["ConfigMap"]["data"].items()
        if value.startswith("/run/secrets/whipbird/")
    ]
    made = f"kubectl create secret generic {names[0]}" + "".join(
        f" --from-file={file}" for file in files
    )
    for said in (made, f"kubectl create secret tls {names[1]} "):
        assert said in text
        assert said in guide
