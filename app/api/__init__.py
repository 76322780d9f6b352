"""The HTTP side: thin handlers over the job table, the file store and the queue."""
