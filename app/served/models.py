"""All models of the moment, from both places."""

from app.catalogue import Catalogue, ModelEntry
from app.served.folder import CheckpointFolder
from app.served.repository import ModelRepository


class ServedModels:
    """The published checkpoints first, then the added ones. A published name wins over an added one."""

    def __init__(self, folder: CheckpointFolder, added: ModelRepository) -> None:
        self.folder = folder
        self.added = added

    def catalogue(self) -> Catalogue:
        """What is served now. Asks the database."""
        published = self.folder.current()
        names = {entry.name for entry in published.models}
        rows = [row for row in self.added.ready() if row.name not in names]
        models = [*published.models, *(ModelEntry.model_validate(row.entry) for row in rows)]
        chosen = self.added.default()
        default = chosen if chosen in {entry.name for entry in models} else published.default
        return Catalogue(default=str(default), models=models)
