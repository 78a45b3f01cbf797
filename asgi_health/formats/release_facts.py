"""What platforms and CI systems say about the running release, in environment variables.

They are those of the documentation of each platform, and of what Sentry's SDK detects. Kubernetes, Amazon ECS and AWS
App Runner set none that names a release: there the image or the manifest has to. Manifests of Kubernetes pass on the
label `app.kubernetes.io/version` in the variables of OpenTelemetry and Datadog. Those of CI systems come through `ARG`
and `ENV` of a Dockerfile.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

VERSIONS = ("DD_VERSION",)
"""The version where no distribution is installed; before it, `service.version` of OTEL_RESOURCE_ATTRIBUTES."""

RELEASES = (
    "SENTRY_RELEASE",  # what a team has chosen itself, so it comes first
    "HEROKU_RELEASE_VERSION",
    "FLY_IMAGE_REF",
    "K_REVISION",  # Cloud Run
    "GAE_DEPLOYMENT_ID",  # App Engine
    "CONTAINER_APP_REVISION",  # Azure Container Apps
    "RAILWAY_DEPLOYMENT_ID",
    "VERCEL_DEPLOYMENT_ID",
    "CI_COMMIT_TAG",  # GitLab CI
)
"""The release, first of what a person named, then of platforms, then of CI systems. Without any it is the commit."""

COMMITS = (
    "GIT_COMMIT",  # also of Jenkins
    "GIT_SHA",
    "COMMIT_SHA",  # also of Google Cloud Build
    "HEROKU_BUILD_COMMIT",
    "HEROKU_SLUG_COMMIT",  # Heroku keeps it for old apps
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "VERCEL_GIT_COMMIT_SHA",
    "DD_GIT_COMMIT_SHA",
    "SOURCE_VERSION",  # Heroku's build, Scalingo
    "GITHUB_SHA",
    "CI_COMMIT_SHA",  # GitLab CI
    "CIRCLE_SHA1",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
)
"""The commit, of the same sources in the same order."""

BUILD_TIMES = (
    "BUILD_TIME",
    "BUILD_DATE",
    "HEROKU_RELEASE_CREATED_AT",
    "CI_JOB_STARTED_AT",  # GitLab CI
    "SOURCE_DATE_EPOCH",  # reproducible builds: seconds since the epoch
)
"""When it was built: ISO 8601, or seconds since the epoch."""

MAX_LENGTH = 200
"""Characters of a value: the longest release of Sentry. A longer value is no release."""

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


class ReleaseFacts(NamedTuple):
    """What the environment says; empty where it says nothing.

    Attributes:
        version: Version of the service.
        release: Name of the release, or the commit.
        commit: Hash of the commit.
        built: When it was built, in ISO 8601.
    """

    version: str
    release: str
    commit: str
    built: str


def release_facts(environ: Mapping[str, str]) -> ReleaseFacts:
    """Return what `environ` says about the release. A value that cannot be meant is passed over, and never raises."""
    commit = _first(environ, COMMITS, _commit)
    return ReleaseFacts(
        version=clean_text(_resource_attribute(environ, "service.version")) or _first(environ, VERSIONS, clean_text),
        release=_first(environ, RELEASES, _release) or commit,
        commit=commit,
        built=_first(environ, BUILD_TIMES, _time),
    )


def _first(environ: Mapping[str, str], names: Iterable[str], read: Callable[[str], str]) -> str:
    return next((value for name in names if (value := read(environ.get(name, "")))), "")


def clean_text(value: str) -> str:
    """Return `value` without the space around it; empty where it is no name of anything.

    Surrogates, which stand for bytes that are no UTF-8, are not printable. A leading ``$`` is a variable that nothing
    has replaced.
    """
    value = value.strip()
    return value if value.isprintable() and len(value) <= MAX_LENGTH and not value.startswith("$") else ""


def _release(value: str) -> str:
    """Return a release; of the reference of an image, ``registry/name:tag``, the tag."""
    value = clean_text(value)
    name, colon, tag = value.rpartition(":")
    return tag if colon and "/" in name and tag and "/" not in tag and "@" not in name else value


def _commit(value: str) -> str:
    value = value.strip()
    return value if _COMMIT.fullmatch(value) else ""


def _time(value: str) -> str:
    value = value.strip()
    try:
        if value.isascii() and value.isdigit():
            moment = datetime.fromtimestamp(int(value), UTC)
        else:
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _resource_attribute(environ: Mapping[str, str], key: str) -> str:
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, _, value = pair.partition("=")
        if name.strip() == key:
            return value
    return ""
