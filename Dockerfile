FROM python:3.13-slim AS native
# The compiled packet path.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cargo gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY native native
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels ./native

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/whipbird
# The dependencies first: a change of the source does not fetch them again. Their versions
# and hashes are locked: see deploy/requirements.txt.
COPY deploy/requirements.txt deploy/
RUN /opt/whipbird/bin/pip install --no-cache-dir --require-hashes \
    -r deploy/requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY server server
COPY webclient webclient
COPY docs/openapi.yaml docs/openapi.yaml
RUN /opt/whipbird/bin/pip install --no-cache-dir --no-deps .
COPY --from=native /wheels /wheels
RUN /opt/whipbird/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --no-create-home --shell /usr/sbin/nologin whipbird \
    && install --directory --owner whipbird --group whipbird /recordings
COPY --from=build /opt/whipbird /opt/whipbird
ENV PATH=/opt/whipbird/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WHIPBIRD_HOST=0.0.0.0 \
    WHIPBIRD_PORT=8080
# It listens on all addresses: it starts only with a token or rules, or WHIPBIRD_OPEN=true.
# A whipbird.toml mounted here is read.
WORKDIR /etc/whipbird
USER whipbird
# TCP for HTTP, UDP for media and data: publish both, under the same number.
EXPOSE 8080/tcp 8080/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-c", \
    "import http.client, os, sys; e = os.environ; h = e['WHIPBIRD_HOST']; h = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(h, h); c = http.client.HTTPConnection(h, int(e['WHIPBIRD_PORT']), timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
CMD ["whipbird", "serve"]
