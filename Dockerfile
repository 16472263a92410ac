FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY server server
COPY webclient webclient
RUN python -m venv /opt/whipbird \
    && /opt/whipbird/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --no-create-home --shell /usr/sbin/nologin whipbird
COPY --from=build /opt/whipbird /opt/whipbird
ENV PATH=/opt/whipbird/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WHIPBIRD_HOST=0.0.0.0 \
    WHIPBIRD_PORT=8080
USER whipbird
EXPOSE 8080/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['WHIPBIRD_PORT'] + '/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["whipbird", "serve"]
