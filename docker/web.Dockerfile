# The API, the sweeper and the one-off commands: no PyTorch, no numpy, no FFmpeg.
#
#     docker build -f docker/web.Dockerfile -t amt-web .
#
# Packages come from requirements-web.lock, by hash. Another index than pip's own is named by the build argument
# PIP_INDEX_URL, or with its password by a pip.conf as secret: --secret id=pip,src=pip.conf
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY requirements-web.lock /build/
# pip and its like are needed to build only and stay here, as do the descriptions of all of Amazon's services but the bucket.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv --without-pip /opt/amt/packages \
 && python3 -m venv /build/tools \
 && /build/tools/bin/pip --python /opt/amt/packages/bin/python3 install --disable-pip-version-check --no-cache-dir \
        --no-deps --require-hashes --only-binary :all: -r /build/requirements-web.lock \
 && site=$(echo /opt/amt/packages/lib/python3*/site-packages) \
 && find "${site}/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name 'sso*' -exec rm -r {} + \
 && find "${site}" -name tests -type d -prune -exec rm -r {} +

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="amt: the web half" \
      org.opencontainers.image.description="API, page, sweeper and commands of the music-transcription service" \
      org.opencontainers.image.licenses="MIT AND CC-BY-NC-SA-4.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Without the base's own installers.
RUN groupadd --gid 10001 amt \
 && useradd --no-log-init --uid 10001 --gid amt --no-create-home --home-dir /var/lib/amt --shell /usr/sbin/nologin amt \
 && install -d -o amt -g amt -m 700 /var/lib/amt \
 && rm -rf /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip \
        /usr/lib/python3*/ensurepip /usr/share/python-wheels
COPY --from=packages /opt/amt/packages /opt/amt/packages
COPY LICENSE /opt/amt/
COPY app /opt/amt/code/app
COPY model/checkpoints /opt/amt/code/model/checkpoints
COPY docker/amt /usr/local/bin/amt
ENV PATH=/opt/amt/packages/bin:$PATH \
    PYTHONPATH=/opt/amt/code \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AMT_CHECKPOINT=/opt/amt/code/model/checkpoints \
    AMT_VAR=/var/lib/amt \
    AMT_HOST=0.0.0.0
RUN python3 -m compileall -q /opt/amt/code /opt/amt/packages && amt --help > /dev/null
WORKDIR /var/lib/amt
VOLUME /var/lib/amt
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s CMD ["amt", "health", "api"]
ENTRYPOINT ["amt"]
CMD ["api"]
