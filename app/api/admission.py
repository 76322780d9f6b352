"""The last look before a job is noted, in the transaction that notes it."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.api.caller import Caller
from app.api.limits import refuse_beyond
from app.catalogue import ModelEntry
from app.errors import InvalidRequest
from app.jobs.locks import begin_alone, jobs_of, use_of
from app.jobs.sharing import usage_of
from app.served.table import AddedModel
from app.settings import Settings


def admission(settings: Settings, caller: Caller, model: ModelEntry) -> Callable[[Session], None]:
    """See that uploads of one moment do not pass a limit together, and that no model goes while a job for it comes."""
    names = [jobs_of(caller.submitter)] if caller.submitter is not None else []
    names += [use_of(model.name)] if model.stored is not None else []

    def admit(session: Session) -> None:
        begin_alone(session, *names)
        if caller.submitter is not None:
            refuse_beyond(settings, usage_of(session, caller.submitter))
        if model.stored is not None and session.get(AddedModel, model.name) is None:
            raise InvalidRequest.of("model", "was removed just now")

    return admit
