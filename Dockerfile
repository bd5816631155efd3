# syntax=docker/dockerfile:1
# Two stages: the first builds the wheel and a venv, the second holds the venv alone, without the source tree.
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pool ./pool
COPY stratum ./stratum
COPY payouts ./payouts
COPY config ./config
RUN python -m venv /opt/engineroom
RUN /opt/engineroom/bin/pip install --constraint constraints.txt ".[postgres]"

FROM python:3.12-slim-bookworm
# PYTHONSAFEPATH: a folder named pool, stratum, payouts or config in the working directory is never imported.
ENV PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/opt/engineroom/bin:$PATH
RUN useradd --system --uid 10001 --home-dir /var/lib/engineroom --create-home --shell /usr/sbin/nologin engineroom
COPY --from=build /opt/engineroom /opt/engineroom
USER engineroom
WORKDIR /var/lib/engineroom
VOLUME /var/lib/engineroom
EXPOSE 3333 9333
STOPSIGNAL SIGTERM
ENTRYPOINT ["engineroom"]
CMD ["run", "-c", "/etc/engineroom/engineroom.yaml"]
