"""What can go wrong between a data set and a checkpoint."""

from model.errors import ModelError


class DataError(ModelError):
    """A file of a data set is missing, damaged, or says something that cannot be true."""

    code = "data"


class DownloadError(ModelError):
    """A file of a public record cannot be had, is another one than the record says, or does not fit on the disk."""

    code = "download"


class PublishError(ModelError):
    """A checkpoint may not be published: it is no better than the one that is served, or its name is taken."""

    code = "publish"


class ConfigError(ModelError):
    """A training run's configuration names a setting that does not exist or a value that is not allowed."""

    code = "config"


class FitError(ModelError):
    """A training run cannot start, go on or end well: disk, memory, another run's state, or losses without sense."""

    code = "fit"
