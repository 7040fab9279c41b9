"""What docs/benchmarks.md says of each section, from the figures of its record."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import embedding_page, learning_page, study_page
from benchmarks.cells import Figures, Lines, figure, middle, percent, spread_percent, table


def _index(figures: Figures) -> Lines:
    speeds, stages, used = figures["images_per_second"], figures["profile"]["stages"], figures["profile"]["cores"]
    names = {
        "index": "`Collection.index`, fresh collection, end to end",
        "limit": "limit: cores ÷ (decode and prepare + model, one thread alone)",
        "ceiling": "one separate process a core, nothing shared or written",
        "plain": "plain loop: full decode, resize, fp32, one by one",
    }
    return [
        f"{figures['pictures']:,} pictures, {figures['model']}; one thread alone takes "
        f"{middle(figures['decode_and_prepare_ms'], ' ms')} to decode and prepare a picture and "
        f"{middle(figures['model_ms'], ' ms')} to run the model.",
        "",
        *table(["contestant", "images/s"], [[names[name], middle(speeds[name])] for name in names]),
        "",
        *table(
            ["`index` reaches", "measured", "goal"],
            [
                ["of the limit", spread_percent(figures["share_of_limit"]), "≥ 85 %"],
                ["of the limit, by processor time", spread_percent(figures["efficiency"]), ""],
                ["of separate processes", spread_percent(figures["share_of_ceiling"]), ""],
                ["times the plain loop", middle(figures["times_plain"]), "≥ 4"],
            ],
        ),
        "",
        f"Where the processor time goes ({figure(figures['profile']['processor_ms_an_image'])} ms an image in all; "
        f"{percent(used['own'])} of the cores' time was used, {percent(used['idle'])} was idle and "
        f"{percent(used['others'])} went to other programs):",
        "",
        *table(
            ["stage", "ms an image", "share"],
            [[name, figure(row["ms_an_image"]), percent(row["share"])] for name, row in stages.items()],
        ),
    ]


def _memory(figures: Figures) -> Lines:
    rows = [
        [f"{row['pictures']:,}", figure(row["peak_mib"]), figure(row["peak_anonymous_mib"]), figure(row["median_mib"]),
         figure(row["images_per_second"])]
        for row in figures["rows"]
    ]  # fmt: skip
    return [
        f"Peak {figure(figures['peak_mib'])} MiB (goal: ≤ 600 MB); {figure(figures['growth_bytes_an_image'])} bytes "
        "more for each further picture. Sampled every 0.1 s; mapped files count as resident, not as anonymous.",
        "",
        *table(["pictures", "peak MiB", "peak anonymous", "median MiB", "images/s"], rows),
    ]


def _cold(figures: Figures) -> Lines:
    names = {
        "python": '`python -c "pass"`',
        "imports": '`python -c "import numpy, onnxruntime, PIL.Image"`',
        "search": "`imagekin search q.jpg`",
        "search by id": "`imagekin search --id 1`",
    }
    rows = [[words, middle(figures["wall_ms"][name]), middle(figures["processor_ms"][name])]
            for name, words in names.items()]  # fmt: skip
    return [
        f"A new process over {figures['pictures']:,} images: {middle(figures['times_imports'])} times the bare imports "
        f"(goal: ≤ 2.5), by processor time {middle(figures['times_imports_processor'])}.",
        "",
        *table(["process", "wall ms", "processor ms"], rows),
    ]


def _warm(figures: Figures) -> Lines:
    times, alone = figures["times_model_by_round"], figures["times_one_core_by_round"]
    rows = [
        [f"`{name}`" if name in times else name, figure(row["p50"]), figure(row["p99"]),
         *([middle(times[name]), middle(alone[name])] if name in times else ["", ""])]
        for name, row in figures["ms"].items()
    ]  # fmt: skip
    return [
        f"Over {figures['pictures']:,} images; goal: a search costs ≤ 1.3 times the model's own time for one image.",
        "",
        *table(["step", "p50 ms", "p99 ms", "times the model", "times the model on one core"], rows),
    ]


def _rescan(figures: Figures) -> Lines:
    speeds = figures["files_per_second"]
    return [
        f"{figures['files']:,} unchanged files (goal: ≥ 20,000 files/s).",
        "",
        *table(
            ["contestant", "files/s"],
            [
                ["`Collection.index`, nothing changed", middle(speeds["index"])],
                ["bare walk: list folders, ask size and date", middle(speeds["walk"])],
                ["first time, with the `pixels` model", figure(figures["first_time_files_per_second"])],
            ],
        ),
    ]


def _million(figures: Figures) -> Lines:
    found, memory = figures["search"], {name: figures[name]["peak_mib"] for name in ("cache", "build", "search")}
    one, both = found["one_core_ms"], found["all_cores_ms"]
    engines = [
        [name, figure(one[name]["p50"]), figure(one[name]["p99"]), figure(both[name]["p50"]), figure(both[name]["p99"]),
         f"{found['recall@10'][name]:.4f}"]
        for name in ("exact", "default")
    ]  # fmt: skip
    opening, disk = figures["open"], figures["disk_bytes_an_image"]
    phases = [
        ["write (database)", figure(figures["write"]["seconds"]), ""],
        ["vector cache", figure(figures["cache"]["seconds"]), figure(memory["cache"]["anonymous"])],
        ["default engine", figure(figures["build"]["seconds"]), figure(memory["build"]["anonymous"])],
        ["both engines, searching", "", figure(memory["search"]["anonymous"])],
    ]
    return [
        f"{figures['rows']:,} × {figures['dim']} vectors, {figures['base']}; the default engine is "
        f"`{found['engine']}` ({found['reason']}). Recall counts hits within the distance of the true tenth neighbour, "
        "which the harness finds itself while it writes.",
        "",
        *table(["engine", "1 core p50 ms", "p99", "all cores p50 ms", "p99", "recall@10"], engines),
        "",
        *table(["on disk", "bytes an image"], [[name, figure(size)] for name, size in disk.items()]),
        "",
        *table(
            ["new process", "import and open ms", "first search ms"],
            [
                ["files in memory", middle(opening["open_ms"]), middle(opening["first_search_ms"])],
                ["files on disk", figure(opening["from_disk"]["open"]), figure(opening["from_disk"]["first"])],
            ],
        ),
        "",
        *table(["phase", "seconds", "peak anonymous MiB"], phases),
    ]


def _defaults(figures: Figures) -> Lines:
    speed, more, fast = [], [], []
    for size, found in figures["sizes"].items():
        one, both, built = found["search"]["one_core_ms"], found["search"]["all_cores_ms"], found["build"]
        speed.append([
            size, f"`{built['spec']}`", figure(built["ready_s"]), figure(both["default"]["p50"]),
            figure(one["default"]["p50"]), figure(one["default"]["p99"]), figure(both["exact"]["p50"]),
            f"{_recall(found):.4f}",
        ])  # fmt: skip
        more.append([
            size, middle(found["open"]["ms"]), figure(found["open"]["searched_mib"]), str(built["disk_bytes_a_row"]),
            str(found["peak_anonymous_mib"]["build"]), middle(found["search"]["batch_queries_per_s"]["all"]),
            middle(found["search"]["batch_scales"]),
        ])  # fmt: skip
        for name in found.get("fast", {}).get("recall", {}):
            rates = [found["fast"][kind][name] for kind in ("singles", "batches")]
            both_rates = [text for rate in rates for text in (figure(rate["per_s"]["median"]), middle(rate["times"]))]
            fast.append([size, f"`{name}`", f"{found['fast']['recall'][name]:.3f}", *both_rates])
    narrow = [
        [size, share, f"{row['recall']:.4f}", figure(row["ms"]["filtered"]["p50"]), figure(row["ms"]["exact"]["p50"])]
        for size, found in figures["sizes"].items()
        for share, row in found["filters"].items()
    ]
    return [
        "Vectors mixed from the embeddings of real pictures; float16, mapped from a file; queries are not among them.",
        "",
        *table(["vectors", "engine", "ready s", "p50 ms", "1 core p50", "1 core p99", "exact p50", "recall@10"], speed),
        "",
        *table(["vectors", "open ms", "private MiB open", "file bytes a row", "private MiB building", "batch q/s",
                "all cores against one"], more),
        "",
        *table(["vectors", "filter leaves", "recall@10", "p50 ms", "exact, unfiltered"], narrow),
        "",
        *table(["vectors", "at recall 0.95", "recall", "single q/s", "times", "batch q/s", "times"], fast),
    ]  # fmt: skip


def _recall(found: Figures) -> float:
    """Recall of the default, whose engine the build names."""
    engine = found["build"]["spec"].partition(":")[0].partition("(")[0]
    return float(found["search"][f"recall@10 {engine}"])


def _quality(figures: Figures) -> Lines:
    rows = [
        [f"precision{at}", percent(figures["precision"][at], 2), percent(figures["class_mean"][at], 2),
         "≥ 89.0 %" if at == "@4" else ""]
        for at in figures["precision"]
    ]  # fmt: skip
    product = figures["by_product"]
    return [
        f"{figures['pictures']:,} pictures in {figures['classes']} classes, {figures['model']}, leave-one-out by id. "
        f"`search(id=…)` itself scores {percent(product['@4'], 2)} at 4 on {product['queries']} "
        f"queries, for which the harness finds {percent(figures['same_queries']['@4'], 2)}.",
        "",
        *table(["figure", "mean over pictures", "mean over classes", "goal"], rows),
    ]


def _adapters(figures: Figures) -> Lines:
    measured = {name: found for name, found in figures["engines"].items() if "us" in found}
    exact = [f"`{name}`" for name, found in figures["engines"].items() if found.get("exact")]
    left = f" Left out, as it does not reach the recall here and searches exactly: {', '.join(exact)}." * bool(exact)
    rows = [
        [
            f"`{name}`",
            figure(found["us"]["library"]["p50"]),
            figure(found["us"]["rerank"]["p50"]) if found["us"]["rerank"]["p50"] >= 1 else "",
            figure(found["us"]["adapter"]["p50"]),
            middle(found["added_us"]),
            middle(found["batch_times"]),
        ]
        for name, found in measured.items()
    ]
    head = ["engine", "library µs", "re-ranking µs", "adapter µs", "added µs", f"batch of {figures['batch']:,}, times"]
    return [
        f"One query alone and batches, k = 10, among {figures['rows']:,} x {figures['dim']} made vectors, one thread: "
        "the library's own call with the adapter's own settings, and `Index.search`, in turns on one structure. What "
        "is added is taken query by query and leaves out the re-ranking by the stored vectors; for batches it is a "
        "multiple." + left,
        "",
        *table(head, rows),
    ]


def _server(figures: Figures) -> Lines:
    ms, times, speeds = figures["ms"], figures["times_alone"], figures["per_second"]
    shares, soak = figures["share_of"], figures["soak"]
    goals = [
        ["search by id, p50", f"{figure(ms['by id']['p50'])} ms", "≤ 5 ms"],
        ["upload of a megapixel, times decode and model", middle(times["1 megapixel"]), "≤ 1.5"],
        [f"{figures['clients']} clients with pictures, of the model alone, a call at a time",
         spread_percent(shares["model, one core"]), "≥ 85 %"],
        ["thumbnails a second from the cache", middle(figures["thumbnails_per_second"]), "≥ 1,500"],
        [f"`/healthz` beside {figures['slow']} slow clients, p99",
         f"{figure(figures['health_beside_slow_ms']['p99'])} ms", "≤ 100 ms"],
        [f"failures in {figure(soak['seconds'])} s of mixed questions ({soak['answers']:,} answers)",
         f"{soak['failures']}", "0"],
        ["growth of resident memory in them", percent(soak["growth"]), "< 5 %"],
    ]  # fmt: skip
    return [
        f"`imagekin serve` over {figures['pictures']:,} images, a process of its own, asked from another.",
        "",
        *table(["figure", "measured", "goal"], goals),
        "",
        *table(["one client", "p50 ms", "p99 ms"],
               [[name, figure(row["p50"]), figure(row["p99"])] for name, row in ms.items()]),
        "",
        f"{figures['clients']} clients at once send the collection's own pictures; beside them what the cores can do:",
        "",
        *table(["", "pictures/s", "the server's share of it"],
               [[name, middle(row), spread_percent(shares[name]) if name in shares else ""]
                for name, row in speeds.items()]),
        "",
        f"A thumbnail takes {figure(figures['thumbnail_processor_ms'])} ms of the server's processor time; "
        f"{figure(figures['thumbnails_made_per_second'])} a second are made.",
    ]  # fmt: skip


SECTIONS: dict[str, tuple[str, Callable[[Figures], Lines]]] = {
    "index": ("Indexing", _index),
    "memory": ("Memory while indexing", _memory),
    "cold": ("Search in a new process", _cold),
    "warm": ("Search in a running process", _warm),
    "rescan": ("A folder in which nothing changed", _rescan),
    "million": ("A million images", _million),
    "defaults": ("The default engine", _defaults),
    "adapters": ("Adapters", _adapters),
    "embedding": ("Networks", embedding_page.lines),
    "server": ("The server", _server),
    "quality": ("Quality", _quality),
    "study": ("The study of the lecture notes", study_page.lines),
    "learning": ("Learning from labels", learning_page.lines),
}
