"""What the details say about the app itself."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Self

from ..core.logger import logger
from ..core.validate import require_type


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What the details say about the app, in the fields of draft-inadarei-api-health-check-06; empty ones are left out.

    Only authorised readers see it: a version tells an attacker which vulnerabilities to try.

    Attributes:
        name: Name of the service, shown as ``serviceId``.
        version: Version of its public interface.
        release: Its build, such as a commit, shown as ``releaseId``.
        description: A sentence about it.
        links: Related pages, such as a runbook, as ``{relation: URL}``.
        notes: Free text.

    Raises:
        TypeError: for a field of another type.
        ValueError: for an empty name, or text that UTF-8 cannot carry.
    """

    name: str
    version: str = ""
    release: str = ""
    description: str = ""
    _: KW_ONLY
    links: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option in ("name", "version", "release", "description"):
            _require_text(f"service: {option}", getattr(self, option))
        if not self.name:
            raise ValueError("service: name is empty")
        require_type("service: links", self.links, Mapping)
        links = dict(self.links)
        for key, link in links.items():
            _require_text("service: a key of links", key)
            _require_text(f"service: links[{key!r}]", link)
        require_type("service: notes", self.notes, tuple)
        for note in self.notes:
            _require_text("service: a note", note)
        object.__setattr__(self, "links", MappingProxyType({str.__str__(key): link for key, link in links.items()}))

    @classmethod
    def detect(
        cls,
        distribution: str,
        *,
        name: str | None = None,
        description: str = "",
        links: Mapping[str, str] | None = None,
    ) -> Self:
        """Return what the installation and the environment say about the app: version, release, commit and build time.

        The version is that of the installed distribution. The release, the commit and the build time come from
        environment variables that platforms and CI systems set; docs/reference/settings.md lists them. What is not
        known is left out, and so is a value that is not usable: no environment keeps the app from starting.

        Args:
            distribution: Name of the app's distribution, as in ``pip install``.
            name: Name of the service; None for that of the distribution.
            description: A sentence about it.
            links: Related pages, as ``{relation: URL}``.

        Raises:
            TypeError: for an argument of another type.
            ValueError: for an empty name, or text that UTF-8 cannot carry.
        """
        import os
        from importlib.metadata import version

        from .release_facts import clean_text, release_facts

        _require_text("service: distribution", distribution)
        facts = release_facts(os.environ)
        try:
            # None or a KeyError, by Python's version, after an uninstallation that was interrupted.
            installed = clean_text(version(distribution) or "")
        except Exception:
            installed = ""
        if not installed and not facts.version:
            logger.warning("service: no distribution %r is installed, so details show no version", distribution)
        notes = [f"commit {facts.commit}"] if facts.commit and facts.commit != facts.release else []
        notes += [f"built {facts.built}"] if facts.built else []
        return cls(
            distribution if name is None else name,
            installed or facts.version,
            facts.release,
            description,
            links={} if links is None else links,
            notes=tuple(notes),
        )


def _require_text(subject: str, value: object) -> None:
    require_type(subject, value, str)
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{subject} must be text that UTF-8 can carry, not {value!r}") from None
