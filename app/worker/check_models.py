"""Trying out the models that were added: only one that loads and listens is served."""

import logging
from contextlib import suppress

import numpy as np
from redis.exceptions import LockError, RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import ModelEntry
from app.served.table import AddedModel
from app.storage.interface import NotStoredError
from app.worker.runtime import Runtime
from model.errors import ModelError

log = logging.getLogger(__name__)

DIED = "The workers that loaded it died."
LONGEST_CHECK_SECONDS = 60.0  # a process that loads a model for longer has died with it


def check_models(runtime: Runtime) -> None:
    """Load every model that waits for it, and say of each whether it is served from now on.

    One process tries a model at a time. A try is counted before it begins: a file that kills the process that loads it
    does so twice and no more.
    """
    try:
        for row in runtime.models.added.unchecked():
            alone = runtime.redis.lock(f"amt:check:{row.sha256}", timeout=LONGEST_CHECK_SECONDS, blocking=False)
            with suppress(LockError), alone:
                _check(runtime, row)
    except (SQLAlchemyError, OSError, RedisError) as error:
        log.error("added models are not checked for now: %s", error)


def _check(runtime: Runtime, row: AddedModel) -> None:
    models = runtime.models.added
    if not models.begin_check(row):
        _refuse(runtime, row, DIED)
        return
    try:
        transcriber = runtime.load(ModelEntry.model_validate(row.entry))
        transcriber.activations(np.zeros(int(transcriber.sr), dtype=np.float32))
    except NotStoredError:
        _refuse(runtime, row, "Its file is gone.")
    except ModelError as error:
        log.error("model %s: %s", row.name, error.message)
        _refuse(runtime, row, "It cannot be loaded: it holds no network of this version, or it was changed.")
    except (SQLAlchemyError, OSError):  # not its fault
        models.take_back_check(row)
        raise
    except Exception:
        log.exception("model %s", row.name)
        _refuse(runtime, row, "It was loaded and cannot transcribe.")
    else:
        log.info("model %s %s is served", row.name, row.sha256[:8])
        models.accept(row)


def _refuse(runtime: Runtime, row: AddedModel, reason: str) -> None:
    """Say why; the file is of no use to anybody then. Another worker may have come to an end with it before us."""
    if runtime.models.added.refuse(row, reason):
        log.error("model %s is refused: %s", row.name, reason)
        runtime.storage.delete(row.entry["stored"])
