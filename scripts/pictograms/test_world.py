"""python -m unittest test_world: what every stage relies on, in seconds."""

import importlib.util
import random
import sys
import unittest

try:
    import captions
    import captions_ru
    import checker
    import schedule
    import sprites
    import world
    from sprites import ALL, CORE, KINDS, colours_of
except ImportError as error:
    print(f"skipped: {error} (Debian: python3-numpy python3-scipy python3-pil)")
    sys.exit(77)
sprites.skip_without_font()


class Checker(unittest.TestCase):
    def test_what_is_faint_may_be_missing(self):
        """Grey steam on grey was lost between pixels and latents, and the cup taken for a coat."""
        scene = world.Scene((world.Group("cup", "red"),), "one", "gray")
        pixels = world.draw_scene(scene, random.Random(1))
        ground = sprites.BACKGROUNDS["gray"]
        faint = ((pixels.astype(float) - ground) ** 2).sum(2) < checker.CLEAR_CONTRAST ** 2
        pixels[faint] = ground
        said = lambda name: captions.Caption("", (world.Group(name, "red"),), "one", False, "gray")
        self.assertTrue(checker.judge(pixels, said("cup"))["strict"])
        self.assertFalse(checker.judge(pixels, said("coat"))["all"])

    def test_a_pale_thing_that_has_run_into_another_is_seen(self):
        backpack = world.Scene((world.Group("backpack", "red"),), "one", "white")
        pixels = world.draw_scene(backpack, random.Random(1)).astype(float)
        ghost = world.draw_scene(world.Scene((world.Group("teddy bear"),), "one", "white"), random.Random(2)).astype(float)
        shift = 24
        ghost[:, :-shift] = ghost[:, shift:].copy()
        clean = pixels.round().astype("uint8")
        pale = 255 - (255 - ghost) * 45 / (255 - ghost).max()
        spoilt = clean.copy()
        empty = (pixels == 255).all(2)
        spoilt[empty] = pale[empty].round().astype("uint8")
        caption = captions.Caption("", backpack.groups, "one", False, "white")
        self.assertTrue(checker.judge(clean, caption)["strict"])
        self.assertFalse(checker.judge(spoilt, caption)["strict"])


class LearningRate(unittest.TestCase):
    def test_falls_to_its_fiftieth_however_progress_is_counted(self):
        for total in (1, 1000):
            rate = [schedule.learning_rate(part * total, total, 1., warm=0, decay_from=.5) for part in (0, .5, .75, 1)]
            for have, want in zip(rate, (1, 1, .51, .02)):
                self.assertAlmostEqual(have, want)


class World(unittest.TestCase):
    def test_has_enough(self):
        self.assertGreaterEqual(len(ALL), 210)
        self.assertTrue(60 <= len(CORE) <= 80)
        self.assertGreaterEqual(sum(k.tintable for k in KINDS.values()), 60)

    def test_core_has_russian_names(self):
        self.assertEqual(set(captions_ru.NAMES), set(CORE))
        names = [name for some in captions_ru.NAMES.values() for name in some]
        self.assertEqual(len(names), len(set(names)))

    @unittest.skipUnless(importlib.util.find_spec("pymorphy3"), "pymorphy3 is not installed")
    def test_russian_words_agree(self):
        forms = {("кошка", 1, "gent"): "красной кошки", ("кошка", 2, "nomn"): "две красные кошки", ("яблоко", 2, "nomn"): "два красных яблока",
                 ("яблоко", 5, "ablt"): "пятью красными яблоками", ("слон", 1, "accs"): "красного слона", ("дом", 1, "accs"): "красный дом",
                 ("стул", 5, "nomn"): "пять красных стульев", ("футбольный мяч", 3, "loct"): "трёх красных футбольных мячах"}
        for (noun, count, case), words in forms.items():
            self.assertEqual(captions_ru.words_of(noun, ["красный"], count, case), words)

    def test_scenes_are_functions_of_seed_and_index(self):
        scene, pixels = world.drawn(3, 17, 4)
        again, same = world.drawn(3, 17, 4)
        self.assertEqual(scene, again)
        self.assertTrue((pixels == same).all())

    def test_training_never_holds_what_is_held_out(self):
        for index in range(300):
            scene = world.training_scene(world.scene_rng(5, index), 1 + index % 4)
            self.assertFalse(world.held_out_reasons(scene))

    def test_every_unseen_prompt_holds_something_held_out(self):
        lists = world.held_out()
        for caption in captions.exam("two", count=50):
            self.assertIn(tuple(sorted(g.name for g in caption.groups)), lists["pairs"])
        for caption in captions.exam("counting", count=50):
            self.assertIn((caption.groups[0].name, caption.groups[0].count), lists["counts"])
        for caption in captions.exam("colours", count=50):
            self.assertIn((caption.groups[0].name, caption.groups[0].colour), lists["colours"])

    def test_oblong_pictures_hold_the_same_scene(self):
        for index in range(40):
            for width, height in ((192, 128), (128, 192)):
                scene, square = world.drawn(3, index, 3)
                again, oblong = world.drawn(3, index, 3, width, height)
                self.assertEqual(scene, again)
                self.assertEqual(oblong.shape, (height, width, 3))
                ground = square[0, 0]
                shown = lambda pixels: int((pixels != ground).any(2).sum())
                self.assertEqual(shown(oblong), shown(square), f"{index}: something is cut off or covered")

    def test_tintable_in_every_colour(self):
        for name in ALL:
            self.assertEqual(len(colours_of(name)), 12 if KINDS[name].tintable else 1)

    def test_checker_accepts_and_refuses(self):
        rng = random.Random(8)
        for layout in world.LAYOUTS:
            scene = world.random_scene(rng, 4, layout=layout)
            while scene.background not in ("white", "blue"):  # two template banks are enough here
                scene = world.random_scene(rng, 4, layout=layout)
            caption = captions.describe(scene, rng, plain=True, colours_open=False, background_said=True)
            pixels = world.draw_scene(scene, rng)
            self.assertTrue(checker.judge(pixels, caption)["strict"], caption.text)
            wrong = captions.altered(scene, rng)
            said = captions.describe(wrong, rng, plain=True, colours_open=False, background_said=True)
            if not captions.same_meaning(caption, said):
                self.assertFalse(checker.judge(pixels, said)["strict"], f"{caption.text} / {said.text}")


if __name__ == "__main__":
    unittest.main()
