"""The service: audio in over HTTP or the command line, notes out.

The way of a job: `app.api` takes the bytes -> `app.jobs` keeps what is true, `app.storage` keeps the files ->
`app.queue` carries a hint -> `app.worker` runs `model` -> the files go back through `app.api`. `app.sweeper` repairs
what got lost on the way, `app.supervisor` runs all of it on one machine.
"""
