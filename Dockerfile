# skep's own images (docs/image.md). scripts/image prepares build/wheels, so that nothing is fetched here.
# BASE has Python 3.11 as python3, with venv, and a shell; scripts/image makes one where no registry can be asked.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS built
WORKDIR /build
COPY build/wheels wheels
COPY requirements.lock ./
# uv is a program in a wheel: it takes a tenth of pip's time, and venv need not bring pip along.
ENV UV_OFFLINE=1 UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_NO_INDEX=1 UV_FIND_LINKS=/build/wheels UV_PYTHON=/opt/skep/bin/python3
RUN python3 -m venv --without-pip /opt/skep \
    && python3 -m zipfile -e wheels/uv-*.whl uv \
    && mv uv/uv-*.data/scripts/uv /bin/uv \
    && chmod 0755 /bin/uv \
    && uv pip install --quiet --no-deps --require-hashes --requirement requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY src src
# What only builds has no place in what runs. Byte code is made once, of what is left: nobody could write it later.
RUN uv pip install --quiet --no-deps --no-build-isolation . \
    && uv pip uninstall --quiet editables hatchling pathspec pluggy trove-classifiers \
    && python3 -m compileall -q -j 0 /opt/skep/lib

FROM ${BASE} AS runtime
# Who runs it: the one who may read the keys that are mounted into it. Not root.
ARG UID=10001
# Some shells have a UID of their own.
ARG OWNER=${UID}
RUN test "$OWNER" -gt 0 \
    && echo "skep:x:$OWNER:$OWNER:skep:/var/lib/skep:/bin/false" >>/etc/passwd \
    && echo "skep:x:$OWNER:" >>/etc/group \
    && mkdir -p /var/lib/skep \
    && chmod 0700 /var/lib/skep \
    && chown "$OWNER:$OWNER" /var/lib/skep
COPY --from=built /opt/skep /opt/skep
ENV PATH=/opt/skep/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/skep \
    SKEP_STATE_DIR=/var/lib/skep \
    PYTHONDONTWRITEBYTECODE=1
USER ${UID}:${UID}
WORKDIR /var/lib/skep
# All that it writes: the rest of the file system may be read only.
VOLUME /var/lib/skep

FROM runtime AS swarm-cluster-state-manager
EXPOSE 2476
ENTRYPOINT ["swarm-cluster-state-manager"]

FROM runtime AS skep
ENTRYPOINT ["skep"]
CMD ["serve"]
