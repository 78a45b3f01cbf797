"""What the details say about the app itself."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType

from ..core.validate import require_type


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What the details say about the app, in the fields of draft-inadarei-api-health-check-06; empty ones are left out.

    Only authorised readers see it: a version tells an attacker which vulnerabilities to try. Raises TypeError for a
    field of another type, ValueError for an empty name.

    Attributes:
        name: Name of the service, shown as ``serviceId``.
        version: Version of its public interface.
        release: Its build, such as a commit, shown as ``releaseId``.
        description: A sentence about it.
        links: Related pages, such as a runbook, as ``{relation: URL}``.
        notes: Free text.
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


def _require_text(subject: str, value: object) -> None:
    require_type(subject, value, str)
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{subject} must be text that UTF-8 can carry, not {value!r}") from None
