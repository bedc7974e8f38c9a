"""What any page of `sd-gen --report` must do, whatever its run: hover, keyboard, pin, place, film, copy, sizes, colours.

What the page should show is worked out here from the run's data, apart from the page.
"""
import base64
import json
import math
import re
import zlib


def check(holds, message):
    if not holds:
        raise AssertionError(message)


def same(found, wanted, what):
    check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")


class Map:
    """A grey PNG of the run as rows of values, 0 to `highest`."""

    def __init__(self, item):
        data = base64.b64decode(item["map"].removeprefix("data:image/png;base64,"))
        at, packed = 8, b""
        while at < len(data):
            size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
            body, at = data[at + 8:at + 8 + size], at + 12 + size
            if kind == b"IHDR":
                self.width, self.height = (int.from_bytes(body[i:i + 4], "big") for i in (0, 4))
                same(tuple(body[8:10]), (8, 0), f"bits and colour type of the map of {item['text']!r}")
            packed += body if kind == b"IDAT" else b""
        raw, above, self.rows = zlib.decompress(packed), bytes(self.width), []
        for row in range(self.height):
            kind, *line = raw[row * (self.width + 1):(row + 1) * (self.width + 1)]
            for i in range(self.width):
                left, up, corner = (line[i - 1] if i else 0), above[i], (above[i - 1] if i else 0)
                nearest = min((left, up, corner), key=lambda v: abs(left + up - corner - v))
                line[i] = (line[i] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
            self.rows.append([value / 255 * item["highest"] for value in line])
            above = line

    def cells(self):
        return sorted((value, x, y) for y, row in enumerate(self.rows) for x, value in enumerate(row))

    def smooth(self, x, y):
        """The bilinear value at x, y in 0..1, cell centres holding the values themselves."""
        def split(part, size):
            at = min(max(part * size - 0.5, 0), size - 1)
            low = int(at)
            return low, min(low + 1, size - 1), at - low
        left, right, fx = split(x, self.width)
        top, bottom, fy = split(y, self.height)
        mix = [self.rows[row][left] * (1 - fx) + self.rows[row][right] * fx for row in (top, bottom)]
        return mix[0] * (1 - fy) + mix[1] * fy


def mapped(picture):
    """(number, map) of the words that the prompt shows."""
    shown = {segment["word"] for segment in picture["segments"] if "word" in segment}
    return [(n, Map(word)) for n, word in enumerate(picture["words"]) if word.get("map") and n in shown]


def best_word(picture):
    """The word whose map has the strongest contrast: (number, map); None where there are no maps."""
    return max(mapped(picture), key=lambda pair: pair[1].cells()[-1][0] - pair[1].cells()[0][0], default=None)


def section(number):
    return f"#picture-{number}"


def word_button(number, word):
    return f"{section(number)} .prompt button[data-word='{word}']"


def ready(tab, run):
    tab.wait(f"document.querySelectorAll('section[data-ready]').length === {len(run['pictures'])}")


def canvas_pixels(tab, number):
    """(width, height, RGBA bytes) of the heat over a picture."""
    width, height, text = tab.evaluate(  # read from a copy: reading the page's own canvas often draws a warning
        f"(() => {{ const c = document.querySelector('{section(number)} canvas.heat'), copy = document.createElement('canvas');"
        " [copy.width, copy.height] = [c.width, c.height]; const context = copy.getContext('2d', { willReadFrequently: true });"
        " context.drawImage(c, 0, 0); const d = context.getImageData(0, 0, c.width, c.height).data; let s = '';"
        " for (let i = 0; i < d.length; i += 4096) s += String.fromCharCode(...d.subarray(i, i + 4096));"
        " return [c.width, c.height, btoa(s)]; })()")
    return width, height, base64.b64decode(text)


def check_clear(tab, number, when):
    check(not any(canvas_pixels(tab, number)[2]), f"{when}: the picture must be free of heat")


def check_heat(tab, number, grid, when):
    """The canvas is brighter exactly where the map is higher."""
    width, height, data = canvas_pixels(tab, number)
    points = []
    for y in range(3, height, max(1, height // 24)):
        for x in range(3, width, max(1, width // 24)):
            red, green, blue, alpha = data[4 * (y * width + x):][:4]
            check(alpha > 0, f"{when}: no heat at {x}, {y}")
            points.append((grid.smooth((x + 0.5) / width, (y + 0.5) / height), 0.299 * red + 0.587 * green + 0.114 * blue))
    points.sort()
    brightest = -math.inf
    for value, light in points:
        check(light > brightest - 5, f"{when}: {light:.0f} where the map has {value:.4f}, but {brightest:.0f} where it has less")
        brightest = max(brightest, light)
    (low, dark), (high, bright) = points[0], points[-1]
    # Flat maps cannot differ much; others must, by a lot.
    check(bright - dark > 60 * (high - low) / high, f"{when}: hottest {bright:.0f}, coldest {dark:.0f}: no heat to be seen")


def active(tab, number):
    return tab.evaluate(f"[...document.querySelectorAll('{section(number)} .prompt button.on')].map(b => Number(b.dataset.word))")


def pressed(tab, number):
    return tab.evaluate(f"[...document.querySelectorAll('{section(number)} .prompt button[aria-pressed=true]')].map(b => Number(b.dataset.word))")


def with_words(run):
    """(picture number, picture, word number, map): at most three pictures that have maps."""
    found = [(n, picture, *best_word(picture)) for n, picture in enumerate(run["pictures"], 1) if best_word(picture)]
    return found[:3]


# ---- Checks that fit any run; each gets open_page(fragment, **options) and the run ----

def check_opens_clean(open_page, run):
    with open_page() as tab:
        same(tab.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).length"), 0, "images that do not load")
        same(tab.evaluate("[...document.querySelectorAll('[role=alert]')].map(e => e.textContent)"), [], "alerts")
        tiles = sum(bool(item.get("map")) for picture in run["pictures"] for item in picture["words"] + picture["around"])
        same(tab.evaluate("document.querySelectorAll('.tile canvas').length"), tiles, "small maps")
        blank = tab.evaluate("[...document.querySelectorAll('.tile canvas')].filter(c => { const b = document.createElement('canvas');"
                             " [b.width, b.height] = [c.width, c.height]; return b.toDataURL() === c.toDataURL(); }).length")
        same(blank, 0, "small maps left blank")
        same(tab.evaluate("document.querySelectorAll('nav.index a').length"), len(run["pictures"]) if len(run["pictures"]) > 2 else 0, "index")


def check_text_is_literal(open_page, run):
    with open_page() as tab:
        same(tab.evaluate("document.scripts.length"), 2, "script elements")
        for number, picture in enumerate(run["pictures"], 1):
            here = f"document.querySelector('{section(number)}')"
            same(tab.evaluate(f"{here}.querySelector('.prompt').textContent"), picture["prompt"], "prompt shown")
            same(tab.evaluate(f"{here}.querySelector('h2').textContent"), picture["path"], "path shown")
            same(tab.evaluate(f"[...{here}.querySelectorAll('.prompt *')].filter(e => e.tagName !== 'BUTTON').length"), 0, "elements from the prompt")
            same(tab.evaluate(f"[...{here}.querySelectorAll('tr')].map(r => [...r.children].map(c => c.textContent))"), picture["parameters"], "parameters")
            if picture["negative_prompt"]:
                text = tab.evaluate(f"{here}.querySelector('.negative').textContent")
                check(text.endswith(picture["negative_prompt"]), f"negative prompt shown: {text!r}")
        same(tab.evaluate("[...document.images].filter(i => !i.src.startsWith('data:')).length"), 0, "images from elsewhere")


def check_hover(open_page, run):
    for number, picture, word, grid in with_words(run):
        with open_page() as tab:
            check_clear(tab, number, "before the hover")
            tab.hover(word_button(number, word))
            same(active(tab, number), [word], "word under the mouse")
            check_heat(tab, number, grid, f"picture {number}, hover over {picture['words'][word]['text']!r}")
            text = tab.evaluate(f"document.querySelector('{section(number)} .readout').textContent")
            numbers = [float(n) / 100 for n in re.findall(r"([\d.]+)%", text)[:2]]
            for found, key in zip(numbers, ("share", "highest")):
                check(abs(found - picture["words"][word][key]) < 0.0051, f"{key} reads {found} in {text!r}, not {picture['words'][word][key]}")
            tab.away()
            check_clear(tab, number, "after the hover")


def check_keyboard(open_page, run):
    for number, picture, _, _ in with_words(run)[:1]:
        words = mapped(picture)
        with open_page() as tab:
            tab.evaluate(f"document.querySelector('{section(number)} .frame').focus()")
            tab.key("Tab")
            same(active(tab, number), [words[0][0]], "word after Tab")
            check_heat(tab, number, words[0][1], "keyboard focus")
            if len(words) > 1:
                tab.key("ArrowRight")
                same(active(tab, number), [words[1][0]], "word after the right arrow")
                check_heat(tab, number, words[1][1], "right arrow")
                tab.key("End")
                same(active(tab, number), [words[-1][0]], "word after End")
                tab.key("Home")
            tab.key("Enter")
            same(pressed(tab, number), [words[0][0]], "word pinned by Enter")
            tab.key("Tab")
            check_heat(tab, number, words[0][1], "pinned, focus elsewhere")
            tab.key("Escape")
            same(pressed(tab, number), [], "words pinned after Escape")
            check_clear(tab, number, "after Escape")


def check_pin(open_page, run):
    for number, _, word, grid in with_words(run)[:1]:
        with open_page() as tab:
            tab.click(word_button(number, word))
            tab.away()
            same(pressed(tab, number), [word], "pinned word")
            check_heat(tab, number, grid, "pinned, mouse away")
            same(tab.evaluate("location.hash"), f"#picture={number}&word={word + 1}", "link of the pinned word")
            tab.click(word_button(number, word))
            same(pressed(tab, number), [], "pinned after a second click")
            tab.away()
            check_clear(tab, number, "after the second click")
            tab.click(f"{section(number)} .tile")
            same(len(pressed(tab, number)), 1, "words pinned through the strip")
            tab.key("Escape")
            tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
            tab.tap(word_button(number, word))
            same(pressed(tab, number), [word], "pinned by touch")
            tab.tap(word_button(number, word))
            same(pressed(tab, number), [], "pinned after a second touch")
            check_clear(tab, number, "after the second touch")


def check_place(open_page, run):
    """The reverse question: the words in the order of the attention of the patch under the mouse."""
    for number, picture, word, grid in with_words(run):
        maps = dict(mapped(picture))
        cells = grid.cells()
        with open_page() as tab:
            for _, x, y in (cells[-1], cells[0], cells[len(cells) // 2]):
                at = (x + 0.5) / grid.width, (y + 0.5) / grid.height
                tab.away()
                tab.hover(f"{section(number)} .frame", *at)
                rows = tab.evaluate(f"[...document.querySelectorAll('{section(number)} .place li')].map(r => [Number(r.dataset.word), r.querySelector('.number').textContent])")
                wanted = sorted((m.rows[y][x] for m in maps.values()), reverse=True)[:8]
                same(len(rows), len(wanted), "rows of the list")
                for (name, text), value in zip(rows, wanted):
                    where = f"picture {number}, place {x}, {y}"
                    check(abs(maps[name].rows[y][x] - value) < 1e-6, f"{where}: word {name} stands where {value:.4f} belongs")
                    check(abs(float(text.rstrip("%")) / 100 - value) < 0.0051, f"{where}: reads {text}, not {value:.4f}")
                mark = tab.evaluate(f"(() => {{ const f = document.querySelector('{section(number)} .frame').getBoundingClientRect(), s = document.querySelector('{section(number)} .spot').getBoundingClientRect();"
                                    " return [(s.x + s.width / 2 - f.x) / f.width, (s.y + s.height / 2 - f.y) / f.height]; })()")
                check(all(abs(a - b) < 0.02 for a, b in zip(mark, at)), f"the mark is at {mark}, not {at}")
            tab.click(f"{section(number)} .frame", *at)
            tab.away()
            check("kept" in tab.evaluate(f"document.querySelector('{section(number)} .place h3').textContent"), "a click keeps the place")
            tab.key("Escape")
            check(tab.evaluate(f"document.querySelector('{section(number)} .spot').hidden"), "Escape lets the place go")


def check_controls(open_page, run):
    for number, picture, _, _ in with_words(run)[:1]:
        weakest = min((n for n, _ in mapped(picture)), key=lambda n: picture["words"][n]["highest"])
        with open_page(f"#picture={number}&word={weakest + 1}") as tab:
            before = canvas_pixels(tab, number)[2]
            tab.click(f"{section(number)} input[value=shared]")
            after = canvas_pixels(tab, number)[2]
            top = max(picture["words"][n]["highest"] for n, _ in mapped(picture))
            if picture["words"][weakest]["highest"] < 0.7 * top:
                check(sum(after) < sum(before), "on the scale for all a weak word must be darker")
            tab.evaluate(f"document.querySelector('{section(number)} input[type=range]').focus()")
            tab.key("Home")
            check(max(canvas_pixels(tab, number)[2][3::4]) == 0, "opacity 0 hides the heat")
            tab.key("End")
            check(max(canvas_pixels(tab, number)[2][3::4]) > 200, "opacity 100 shows it strongly")
            if picture["around"]:
                check(not tab.evaluate(f"document.querySelector('{section(number)} details').open"), "special tokens are folded")
                tab.click(f"{section(number)} summary")
                tab.key("Escape")
                tab.hover(f"{section(number)} details .tile")
                same(tab.evaluate(f"document.querySelector('{section(number)} .readout .word').textContent"), picture["around"][0]["text"], "special token")
                check(any(canvas_pixels(tab, number)[2]), "a special token shows its heat")


def check_film(open_page, run):
    for number, picture in enumerate(run["pictures"], 1):
        film, steps = f"{section(number)} .film", picture["steps"]
        with open_page() as tab:
            if len(steps) < 2:
                same(tab.evaluate(f"document.querySelectorAll('{film}').length"), 1 if steps else 0, "films")
                continue
            shown = f"document.querySelector('{film} figure img').src"
            same(tab.evaluate(f"document.querySelectorAll('{film} .frames img').length"), len(steps), "thumbnails")
            check(tab.evaluate(shown) == steps[-1]["image"], "the film opens at the last step")
            tab.hover(f"{film} .frames img:nth-child(1)")
            check(tab.evaluate(shown) == steps[0]["image"], "hover shows the step")
            tab.away()
            check(tab.evaluate(shown) == steps[-1]["image"], "without hover the chosen step returns")
            tab.evaluate(f"document.querySelector('{film} input').focus()")
            tab.key("ArrowLeft")
            check(tab.evaluate(shown) == steps[-2]["image"], "the slider chooses the step")
            tab.key("End")
            tab.click(f"{film} .drive button")
            tab.wait(f"{shown} === {json.dumps(steps[1]['image'])}", 5)
            tab.click(f"{film} .drive button")
            same(tab.evaluate(f"document.querySelector('{film} .drive button').textContent"), "Play", "button after a stop")
            return


def check_copy(open_page, run):
    commands = [(n, picture["command"]) for n, picture in enumerate(run["pictures"], 1)][:3]
    paste = ("(() => { const t = document.createElement('textarea'); t.id = 'paste'; document.body.append(t); t.focus(); })()",
             "(() => { const t = document.getElementById('paste'), v = t.value; t.remove(); return v; })()")
    for modern in (True, False):
        with open_page() as tab:
            if not modern:  # as in a browser that keeps the clipboard from files
                tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
            for number, command in commands:
                same(tab.evaluate(f"document.querySelector('{section(number)} .command').textContent"), command, "command shown")
                tab.click(f"{section(number)} .copy")
                tab.wait(f"document.querySelector('{section(number)} .copy + [role=status]').textContent === ' Copied.'", 5)
                tab.evaluate(paste[0])
                tab.call("Input.dispatchKeyEvent", type="keyDown", key="v", code="KeyV", commands=["paste"])
                same(tab.evaluate(paste[1]), command, f"pasted ({'clipboard' if modern else 'fallback'})")


def check_sizes(open_page, run):
    for width in (360, 420, 768, 1280, 2560):
        with open_page(width=width) as tab:
            tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            wide = tab.evaluate("document.documentElement.scrollWidth")
            check(wide <= width, f"{width} px: the page is {wide} px wide and scrolls sideways")
            for number, picture in enumerate(run["pictures"], 1):
                shown, pixelated = tab.evaluate(f"[document.querySelector('{section(number)} .frame').getBoundingClientRect().width,"
                                                f" getComputedStyle(document.querySelector('{section(number)} .frame img')).imageRendering === 'pixelated']")
                small = max(picture["width"], picture["height"]) < 384
                same(pixelated, small, f"{width} px: picture {number} pixelated")
                long_side = shown * max(1, picture["height"] / picture["width"])
                check(not small or shown % picture["width"] == 0, f"{width} px: picture {number} is {shown} px wide, no whole factor")
                check(width < 500 or long_side >= 384, f"{width} px: picture {number} is only {long_side} px")


CONTRAST = """(() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const light = rgb => { const [r, g, b] = rgb.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('script, noscript') || !element.getClientRects().length) continue;
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    const ground = layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
    const [a, b] = [light(over(parse(getComputedStyle(element).color), ground)), light(ground)];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) found.push(contrast.toFixed(2) + ' ' + walker.currentNode.data.slice(0, 40));
  }
  return found;
})()"""


def check_contrast(open_page, run):
    words = with_words(run)[:1]
    for dark in (False, True):
        with open_page("#picture=%d&word=%d" % (words[0][0], words[0][2] + 1) if words else "", dark=dark) as tab:
            tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            red, green, blue = map(int, re.findall(r"\d+", tab.evaluate("getComputedStyle(document.documentElement).backgroundColor"))[:3])
            check((max(red, green, blue) < 60) == dark, f"dark {dark}: the page's ground is {red}, {green}, {blue}")
            same(tab.evaluate(CONTRAST), [], f"texts under 4.5 ({'dark' if dark else 'light'})")


def check_fragment(open_page, run):
    for number, _, word, grid in with_words(run):
        with open_page(f"#picture={number}&word={word + 1}") as tab:
            same(pressed(tab, number), [word], "word pinned by the link")
            check_heat(tab, number, grid, "opened by a link")
            top = tab.evaluate(f"document.querySelector('{section(number)}').getBoundingClientRect().top")
            check(-5 <= top <= 60 or number == 1, f"the link's picture is at {top} px")
    for odd in ("#picture=99&word=1", "#picture=1&word=999", "#picture=-1", "#word=%3Cimg%3E", "#%E0%A4%A"):
        with open_page(odd):
            pass


def check_stages(open_page, run):
    with open_page() as tab:
        rows = tab.evaluate("[...document.querySelectorAll('.times tr')].map(r => [r.children[0].textContent, r.querySelector('b').getBoundingClientRect().width, r.children[3].textContent])")
        same(len(rows), len(run["stages"]), "stages")
        total = sum(stage["seconds"] for stage in run["stages"])
        for (name, _, share), stage in zip(rows, run["stages"]):
            check(name.startswith(stage["name"].replace("_", " ")), f"stage {name!r}")
            check(abs(float(share.rstrip("%")) / 100 - stage["seconds"] / total) < 0.0051, f"{name}: {share}")
        widths = [width / stage["seconds"] for (_, width, _), stage in zip(rows, run["stages"]) if width > 20]
        check(not widths or max(widths) < 1.05 * min(widths), f"bars out of proportion: {rows}")


def check_motion_and_print(open_page, run):
    for reduced in (True, False):
        with open_page(reduced_motion=reduced) as tab:
            moves = tab.evaluate("getComputedStyle(document.querySelector('.frame img')).transitionDuration") != "0s"
            same(moves, not reduced, f"transitions with reduced motion {reduced}")
            if reduced:
                check(len(tab.call("Page.printToPDF")["data"]) > 1000, "prints")


ANY_RUN = [check_opens_clean, check_text_is_literal, check_hover, check_keyboard, check_pin, check_place, check_controls, check_film,
           check_copy, check_sizes, check_contrast, check_fragment, check_stages, check_motion_and_print]
