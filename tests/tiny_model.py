"""A language model of random weights, for a real llama.cpp: it says nonsense.

``python -m tests.tiny_model FILE`` writes the model, and serves it with llama.cpp until
the standard input ends. It prints the URL.
"""

import sys
from pathlib import Path

WORDS = [
    "whip",
    "bird",
    "sings",
    "in",
    "duets",
    "one",
    "cracks",
    "answers",
    "at",
    "once",
]

# Sizes of the network, and the tokens that it can remember.
EMBEDDING, FEED_FORWARD, CONTEXT = 32, 64, 2048

# How much likelier words are than single octets and ends.
BIAS = 8.0

TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n"
    "{% endfor %}assistant:"
)


def write_model(file: Path) -> None:
    """Write a model of one layer in llama's architecture, with a vocabulary of its own.

    Tokens are words, and single octets for whatever a prompt has.
    """
    import gguf
    import numpy as np
    from gguf import TokenType

    tokens = ["<unk>", "<s>", "</s>"]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    tokens += [f"<0x{octet:02X}>" for octet in range(256)]
    types += [TokenType.BYTE] * 256
    first_word = len(tokens)
    tokens += [f"\N{LOWER ONE EIGHTH BLOCK}{word}" for word in WORDS]
    types += [TokenType.NORMAL] * len(WORDS)

    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name("nonsense")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // 2)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)

    generator = np.random.default_rng(1)

    def add(name: str, *shape: int, scale: float = 0.1) -> "np.ndarray":
        values = generator.standard_normal(shape).astype(np.float32) * np.float32(scale)
        writer.add_tensor(f"{name}.weight", values)
        return values

    # The first dimension of the embedding is large for all tokens: it is the bias.
    add("token_embd", len(tokens), EMBEDDING, scale=1)[:, 0] = 20
    output = add("output", len(tokens), EMBEDDING, scale=1)
    output[:, 0] = -BIAS
    output[first_word:, 0] = BIAS
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(EMBEDDING, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add(f"blk.0.{name}", EMBEDDING, EMBEDDING)
    add("blk.0.ffn_gate", FEED_FORWARD, EMBEDDING)
    add("blk.0.ffn_up", FEED_FORWARD, EMBEDDING)
    add("blk.0.ffn_down", EMBEDDING, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Write the model, and serve it."""
    import xllamacpp

    file = Path(sys.argv[1])
    write_model(file)
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.warmup = False
    params.port = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
