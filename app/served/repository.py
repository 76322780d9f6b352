"""Every statement on added models and on the choice of the default one."""

from collections.abc import Sequence

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from app.clock import utc_now
from app.jobs.locks import begin_alone, use_of
from app.jobs.states import ACTIVE
from app.jobs.table import Job
from app.served.table import DEFAULT_MODEL, AddedModel, Choice, ModelState

# A model that so many workers died over is refused.
MOST_ATTEMPTS = 2


class StillUsedError(Exception):
    """A model cannot be removed yet. The message says why, and what to do."""


class ModelRepository:
    """Added models, for the API and the workers."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def get(self, name: str) -> AddedModel | None:
        """The added model of this name."""
        with self._sessions() as session:
            return session.get(AddedModel, name)

    def ready(self) -> Sequence[AddedModel]:
        """Those that are served, oldest first."""
        return self._in_state(ModelState.READY)

    def unchecked(self) -> Sequence[AddedModel]:
        """Those that a worker has yet to load."""
        return self._in_state(ModelState.CHECKING)

    def add(self, model: AddedModel) -> bool:
        """Note a model. False where the name is taken; only a refused one makes room."""
        try:
            with self._sessions.begin() as session:
                refused = (AddedModel.name == model.name, AddedModel.state == ModelState.REFUSED)
                session.execute(delete(AddedModel).where(*refused))
                session.add(model)
        except IntegrityError:
            return False
        return True

    def begin_check(self, model: AddedModel) -> bool:
        """Count a try at loading a model, before it can go wrong. False after too many."""
        where = (AddedModel.attempts < MOST_ATTEMPTS, AddedModel.state == ModelState.CHECKING)
        with self._sessions.begin() as session:
            statement = update(AddedModel).where(AddedModel.name == model.name, *where)
            result = session.execute(statement.values(attempts=AddedModel.attempts + 1))
            return isinstance(result, CursorResult) and result.rowcount > 0

    def take_back_check(self, model: AddedModel) -> None:
        """Uncount a try that something other than the model ended."""
        with self._sessions.begin() as session:
            statement = update(AddedModel).where(AddedModel.name == model.name, AddedModel.attempts > 0)
            session.execute(statement.values(attempts=AddedModel.attempts - 1))

    def accept(self, model: AddedModel) -> None:
        """Serve a model from now on."""
        self._end_check(model, ModelState.READY, None)

    def refuse(self, model: AddedModel, reason: str) -> bool:
        """Note why a model cannot be served. False where it was decided otherwise before."""
        return self._end_check(model, ModelState.REFUSED, reason[:1000])

    def remove(self, name: str) -> AddedModel | None:
        """Forget a model; gives what it was, or None where there is none of this name.

        Raises
        ------
        StillUsedError
            If jobs wait for it or run with it, or if it is the default.
        """
        with self._sessions.begin() as session:
            begin_alone(session, use_of(name))
            model = session.get(AddedModel, name)
            if model is None:
                return None
            if session.scalar(select(Choice.value).where(Choice.name == DEFAULT_MODEL)) == name:
                raise StillUsedError("It is the default model; choose another one first.")
            jobs = session.scalar(select(func.count()).where(Job.model_name == name, Job.status.in_(ACTIVE))) or 0
            if jobs:
                raise StillUsedError(f"{jobs} jobs wait for it or run with it; try again when they have ended.")
            session.delete(model)
        return model

    def default(self) -> str | None:
        """The name of the model that an administrator chose."""
        with self._sessions() as session:
            return session.scalar(select(Choice.value).where(Choice.name == DEFAULT_MODEL))

    def choose_default(self, name: str) -> None:
        """Let a job that names no model get this one."""
        with self._sessions.begin() as session:
            session.merge(Choice(name=DEFAULT_MODEL, value=name))

    def _in_state(self, state: ModelState) -> Sequence[AddedModel]:
        query = select(AddedModel).where(AddedModel.state == state).order_by(AddedModel.created_at, AddedModel.name)
        with self._sessions() as session:
            return session.scalars(query).all()

    def _end_check(self, model: AddedModel, state: ModelState, reason: str | None) -> bool:
        where = (AddedModel.name == model.name, AddedModel.sha256 == model.sha256)
        with self._sessions.begin() as session:
            statement = update(AddedModel).where(*where, AddedModel.state == ModelState.CHECKING)
            result = session.execute(statement.values(state=state, reason=reason))
            return isinstance(result, CursorResult) and result.rowcount > 0


def new_model(name: str, sha256: str, entry: dict[str, object], added_by: str | None) -> AddedModel:
    """A row for a model whose file is stored."""
    return AddedModel(
        name=name,
        sha256=sha256,
        entry=entry,
        state=ModelState.CHECKING,
        attempts=0,
        created_at=utc_now(),
        added_by=added_by,
    )
