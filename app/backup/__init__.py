"""`amt backup` and `amt restore`: the job table and the file store as one folder.

    backup.json          what it is: format, revision of the tables, when, how many jobs
    tables/<name>.jsonl  one row a line, the same for SQLite and PostgreSQL
    files/jobs/...       as in the store

A backup can be restored into the other kind of database.
"""

from app.backup.make import make_backup
from app.backup.restore import restore_backup

__all__ = ["make_backup", "restore_backup"]
