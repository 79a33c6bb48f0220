# Two stages: the first installs the pinned packages and this one, the second has only the result.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/gpu-bot \
    && /opt/gpu-bot/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes \
        -r requirements.txt -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY storage storage
# What installs is not needed to run, and bytecode cannot be written later: the root file system is read-only.
RUN /opt/gpu-bot/bin/python -m pip install --quiet --no-compile --no-deps --no-build-isolation . \
    && /opt/gpu-bot/bin/python -m pip uninstall --quiet --yes setuptools pip \
    && /opt/gpu-bot/bin/python -m compileall -qq -j 0 /opt/gpu-bot/lib

FROM python:3.12-slim
COPY --from=build /opt/gpu-bot /opt/gpu-bot
RUN install -d -o 10001 -g 10001 -m 0700 /data
ENV PATH=/opt/gpu-bot/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DATABASE_URL=sqlite:////data/gpu-bot.db
# So that the default of the settings, data/gpu-bot.db, is the volume too.
WORKDIR /
USER 10001:10001
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('PORT') or 3000}/health\", timeout=8)"]
ENTRYPOINT ["gpu-bot"]
CMD ["run"]
