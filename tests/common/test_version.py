from stages.common.version import version


def test_version_follows_code_files_packages_and_parameters(tmp_path):
    code, weights = tmp_path / "room.py", tmp_path / "net.onnx"
    code.write_text("x = 1")
    weights.write_bytes(b"1")

    def now(packages=("numpy",), **parameters):
        return version([code], packages, [weights], **parameters)

    seen = {now(), now(size=1), now(size=2), now(("pandas",))}
    weights.write_bytes(b"2")
    seen.add(now())
    code.write_text("x = 2")
    seen.add(now())
    assert len(seen) == 6
    assert now(size=1, b=2) == now(b=2, size=1)
