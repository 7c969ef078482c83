"""x."""
from scenes import *
import pytest
@pytest.mark.parametrize("kind", KINDS)
def test_clean(scene, kind):
    report = scene.run(kind)
    scene.check(report, status="complete")
    assert report.n_requests == CLEAN[kind], [ (r.path, r.params, r.n_bytes) for r in scene.server.log]
    scene.check_quiet(kind)
