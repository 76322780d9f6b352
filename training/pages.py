"""HTML pages beside their pictures, out of the templates in this package; they load nothing from elsewhere."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.prepared import Json


def write_page(path: Path, template: str, **values: Json) -> None:
    """Fill in a template and write it.

    Parameters
    ----------
    path : Path
        Overwritten; its folder exists.
    template : str
        Name of a file in ``training/templates`` without its ending, ``.html.j2``.
    **values
        What the template asks for.
    """
    environment = Environment(
        loader=PackageLoader("training"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    path.write_text(environment.get_template(f"{template}.html.j2").render(**values), encoding="utf-8")
