# skep's own images (docs/image.md). scripts/image prepares build/wheels, so that nothing is fetched here.
# BASE has Python 3.11 as python3, with venv, and a shell; scripts/image makes one where no registry can be asked.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS built
WORKDIR /build
COPY build/wheels wheels
COPY requirements.lock ./
RUN python3 -m venv /opt/skep \
    && /opt/skep/bin/pip install --quiet --disable-pip-version-check --no-index --find-links wheels --no-deps \
        --require-hashes --requirement requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY src src
# What only builds has no place in what runs.
RUN /opt/skep/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation . \
    && /opt/skep/bin/pip uninstall --quiet --yes editables hatchling pathspec pluggy trove-classifiers setuptools pip

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
