"""Which settings a running server takes over."""

from .settings import Settings

# What is read anew for each request, session, stream, recording or line of the log.
RELOADABLE = frozenset(
    {
        *("access_log", "drain", "log_format", "log_level", "setup_timeout"),
        "trusted_proxies",
        *("token", "token_file", "link_secret_file"),
        *("allowed_hosts", "allowed_origins"),
        *("max_sessions", "max_client_sessions", "max_client_connecting"),
        *("request_rate", "post_rate", "patch_rate", "delete_rate"),
        *("ice_servers", "turn_secret", "turn_lifetime"),
        *("takeover", "wait_for_publisher", "chat", "event_url", "event_secret"),
        *("gop_size", "gop_seconds", "gop_total_size"),
        *("upstreams", "upstream_token_file"),
        *("record", "record_all", "record_segment", "record_segment_size"),
        *("record_max_age", "record_max_size", "record_min_free"),
    }
)

# What is decided when the server starts; files that are named are read again all the
# same. A test fails for a setting in neither list.
NEEDS_RESTART = frozenset(
    {
        *("host", "port", "udp_port", "admin_listen", "max_connections", "workers"),
        "spread_viewers",
        *("public_addresses", "hide_host_addresses", "ice_lite", "ice_loopback"),
        *("interfaces", "ip_family"),
        *("apps", "check_private_addresses", "denied_networks", "echo_buffer"),
        *("embed_origins", "open", "native"),
        *("llm_api_base", "llm_key_file", "llm_log", "llm_models"),
        *("llm_replies", "llm_timeout"),
        *("auth_url", "jwt_audience", "jwt_issuer", "jwt_key_file", "jwt_key_url"),
        *("rights_file", "hsts", "ice_tcp", "ice_tcp_port"),
        *("tls_cert", "tls_key", "tls_redirect", "tls_self_signed", "state_folder"),
    }
)


def taken_over(current: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Merge new settings into those of a running server.

    Returns:
        The settings from now on, and the names of those that have changed but need
        another start.
    """
    changed = {
        name
        for name in Settings.model_fields
        if getattr(current, name) != getattr(new, name)
    }
    reloaded = changed & RELOADABLE
    if (current.shared_token is None) != (new.shared_token is None):
        # Whether there is a token decides what else the server checks.
        reloaded -= {"token", "token_file"}
    update = {name: getattr(new, name) for name in reloaded}
    return current.model_copy(update=update), sorted(changed - reloaded)
