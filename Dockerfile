# The example chatbot, observed. It runs as a user of its own, on a read-only root file system; what it writes of telemetry goes
# to the volume /var/log/chatbot, and /tmp must be a tmpfs.
#
#   docker build -t otel-chatbot-example .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:5000:5000 -e MONGODB_URI=… -e OPENAI_API_KEY=… otel-chatbot-example
#
# BASE_IMAGE: any Debian with Python 3.10 or newer. PIP_INDEX_URL: another package index than pip's own.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG PIP_INDEX_URL
ENV PIP_INDEX_URL=${PIP_INDEX_URL} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/venv
COPY requirements/image.txt requirements/
RUN /opt/venv/bin/pip install --no-deps --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY otel_chatbot otel_chatbot
RUN /opt/venv/bin/pip install --no-deps . && /opt/venv/bin/pip check

FROM ${BASE_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin chatbot \
    && install --directory --owner chatbot --group chatbot /var/log/chatbot
COPY --from=build /opt/venv /opt/venv
COPY examples /app
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CHATBOT_OTEL_LOG_DIR=/var/log/chatbot PORT=5000 WEB_CONCURRENCY=2
WORKDIR /app/chatbot
USER chatbot
VOLUME /var/log/chatbot
EXPOSE 5000
CMD ["opentelemetry-instrument", "gunicorn", "-c", "python:otel_chatbot.gunicorn", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "app:app"]
