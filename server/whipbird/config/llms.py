"""The language models that the server offers."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from . import access_values, network_values, values


class LlmSettings(BaseModel):
    """The language models that the server offers; by default none."""

    llm_api_base: Annotated[str, AfterValidator(network_values.http_url)] | None = (
        Field(
            default=None,
            description="URL of a language model's server with an API like OpenAI's: "
            "http://127.0.0.1:8081/v1 for llama.cpp's, http://127.0.0.1:11434/v1 for "
            "Ollama. It is offered to clients with the right to prompt.",
        )
    )
    llm_models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.words)] = (
        Field(
            default=(),
            description="A model that is offered; the first is the default. Without "
            "any, all of the server at --llm-api-base are. Without that server, they "
            "are models that llm knows.",
        )
    )
    llm_key_file: (
        Annotated[SecretStr, BeforeValidator(access_values.token_in_file)] | None
    ) = Field(
        default=None, description="File with the key for the server of the models."
    )
    llm_timeout: float = Field(
        default=120.0,
        gt=0,
        le=86_400,
        description="Seconds without a token after which a model is given up.",
    )
    llm_replies: int = Field(
        default=8,
        ge=1,
        le=1_000,
        description="Replies that are made at a time; more are refused.",
    )
    llm_log: Path | None = Field(
        default=None,
        description="SQLite file to log chats to, instead of that of llm.",
    )

    @property
    def has_llms(self) -> bool:
        """Whether any model is offered."""
        return self.llm_api_base is not None or bool(self.llm_models)
