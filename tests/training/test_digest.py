from dataclasses import replace

from training.digest import digest_of
from training.prepared import Recording

ONE = Recording("one", 2.0, 7, "test", "validation", "1" * 64, {})
OTHER = replace(ONE, id="other", sha256="2" * 64)


def test_a_set_is_known_by_what_is_heard_and_not_by_where_it_comes_from() -> None:
    assert digest_of([ONE, OTHER]) == digest_of([OTHER, ONE])
    assert digest_of([ONE]) == digest_of([replace(ONE, source="elsewhere", made={"tempo": 1.0})])
    others = [replace(ONE, id="two"), replace(ONE, sha256="3" * 64), replace(ONE, n_notes=8)]
    assert len({digest_of([one]) for one in [ONE, *others]} | {digest_of([ONE, OTHER]), digest_of([])}) == 6
