"""The module against the program that it comes with: python -m unittest discover python/tests"""

import os
import random
import subprocess
import tempfile
import unittest
from pathlib import Path

import rord

WRONG = "param lr: Rate = 1e-3 in (0, 1)\nloss a = bce(det, warp(det_r, H))\n"


def pgm(path, rows):
    """A grey picture."""
    data = bytes(value for row in rows for value in row)
    Path(path).write_bytes(b"P5\n%d %d\n255\n" % (len(rows[0]), len(rows)) + data)


def bars(side):
    """Rectangles at random."""
    draw, rows = random.Random(4), [[10] * side for _ in range(side)]
    for _ in range(side * side // 300):
        width, height = draw.choice([(8 + draw.randrange(40), 3), (3, 8 + draw.randrange(40))])
        x, y, grey = draw.randrange(side), draw.randrange(side), draw.randrange(80, 255)
        for row in rows[y : y + height]:
            row[x : x + width] = [grey] * len(row[x : x + width])
    return rows


class Module(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.dir = Path(cls.place.name)
        os.environ["RORD_CACHE"] = str(cls.dir / "cache")
        subprocess.run([rord.program(), "new", "parts"], cwd=cls.dir, check=True, capture_output=True)
        cls.file = cls.dir / "parts" / "parts.rord"
        cls.run_ = rord.train(cls.file, preset="smoke", out=cls.dir / "run", quiet=True, lr=2e-3, steps=2)
        cls.rows = bars(256)
        pgm(cls.dir / "chip.pgm", cls.rows)
        pgm(cls.dir / "crop.pgm", [row[90:186] for row in cls.rows[60:156]])

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def test_what_is_wrong_is_data(self):
        reports = rord.check(WRONG)
        self.assertTrue(any(r.severity == "error" for r in reports))
        first = reports[0]
        self.assertEqual((first.code[0], first.labels[0].file), ("R", "pipeline.rord"))
        self.assertEqual(WRONG.encode()[first.labels[0].start : first.labels[0].end].decode().split("(")[0][:3], "det")
        self.assertRegex(repr(reports), r"^\[<error R\d{4}: [^>]* at pipeline\.rord:2:\d+>")
        self.assertEqual([r for r in rord.check(self.file.read_text()) if r.severity == "error"], [])
        self.assertEqual(rord.check(self.file.read_text(), lr=2)[0].severity, "error")
        library = "layer twice(x: Map[B, C, H, W]@f) -> Map[B, C, H, W]@f = x + x\n"
        (self.dir / "more.rord").write_text(library)
        text = self.file.read_text().replace("\ndata ", '\nimport "more.rord" { twice }\n\ndata ', 1)
        self.assertNotIn("error", [r.severity for r in rord.check(text, folder=self.dir)])
        self.assertEqual(list(self.dir.glob(".*.rord")), [])

    def test_a_run_is_what_was_reported(self):
        run = rord.load(self.dir / "run")
        self.assertEqual((run.status, float(run.params["lr"]), run.weights.name), ("finished", 2e-3, "best.safetensors"))
        self.assertEqual([m["step"] for m in run.split("train")], [0, 1])
        self.assertEqual(len(run.split("val")), 1)
        self.assertEqual(run.metrics[-1]["split"], "val")
        self.assertAlmostEqual(run.eval()["losses"]["total"], run.split("val")[-1]["total"], places=5)
        self.assertIn("pipeline", run.text)
        page = run._repr_html_()
        self.assertTrue(page.startswith(("<table>", "<iframe")), page[:80])
        self.assertIn("<th>total</th>", run._table())
        try:
            import pandas  # noqa: F401
        except ImportError:
            return
        self.assertEqual(list(run.frame("val")["epoch"]), [1])

    def test_what_is_refused_is_raised_with_its_report(self):
        with self.assertRaises(rord.Refused) as caught:
            rord.train(self.file, out=self.dir / "other", quiet=True, patience=3)
        self.assertEqual((caught.exception.code, caught.exception.reports), (1, ["R0801"]))
        self.assertIn("patience", str(caught.exception))
        with self.assertRaises(FileNotFoundError):
            rord.load(self.dir / "parts")

    def test_key_points_and_matches(self):
        one = self.run_.predict(self.dir / "chip.pgm", keep=20)[0]
        self.assertEqual((one.size_px, len(one.keypoints)), ((256, 256), len(one.scores)))
        self.assertIn(len(one.keypoints), range(5, 21))
        maps = self.run_.predict(self.dir / "chip.pgm", dense=True)[0].maps
        self.assertEqual(list(maps), ["desc"])
        match = self.run_.match(self.dir / "chip.pgm", self.dir / "chip.pgm", upright=True)
        self.assertGreater(match.inliers, 10)
        self.assertAlmostEqual(match.matrix_px[0][0], 1.0, places=3)

    def test_a_crop_is_found(self):
        (query,) = rord.find(self.dir / "crop.pgm", self.dir / "chip.pgm")
        self.assertEqual(len(query.found), 1)
        found = query.found[0]
        self.assertAlmostEqual(found.matrix_px[0][2], 90, delta=1)
        self.assertAlmostEqual(found.matrix_px[1][2], 60, delta=1)
        self.assertFalse(found.mirrored)

    def test_a_network_is_exported(self):
        self.assertGreater(self.run_.export("onnx", self.dir / "net.onnx").stat().st_size, 1000)


if __name__ == "__main__":
    unittest.main()
