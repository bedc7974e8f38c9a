"""Exports a StableDiffusionPipeline folder to OpenVINO: FOLDER/{text_encoder,unet,vae_decoder}.xml of fixed size and batch,
float16 weights, and model.json, what drawing needs besides; with --int8 also unet-int8.xml, weights and activations
quantised by nncf.

    python scripts/compare_speed/export_openvino.py MODEL FOLDER --width 512 --height 512 [--batch-size 1] [--int8]
"""

import argparse
import gc
import json
from pathlib import Path

import numpy as np

EXAMPLE_SIDE = 16  # latents: tracing computes, and the graph fits any size (the files are the same to the byte)
CALIBRATION_PICTURES = 2  # of random numbers: the ranges only have to be finite, and the speed does not depend on them


def write(model, path):
    import openvino as ov
    partial = path.with_name(path.stem + "-partial.xml")
    ov.save_model(model, partial, compress_to_fp16=True)
    for suffix in (".bin", ".xml"):  # the .xml last: a model whose .xml exists is whole
        partial.with_suffix(suffix).rename(path.with_suffix(suffix))


def trace(module, example, shapes):
    import openvino as ov
    import torch
    with torch.no_grad():
        return ov.convert_model(module.eval(), example_input=tuple(example), input=shapes)


def write_facts(model, folder):
    def value(part, key, default):
        return json.loads((model / part).read_text()).get(key, default)
    facts = {"prediction_type": value("scheduler/scheduler_config.json", "prediction_type", "epsilon"),
             "scaling_factor": value("vae/config.json", "scaling_factor", .18215)}
    (folder / "model.json").write_text(json.dumps(facts) + "\n")


def export(model, folder, width_px, height_px, pictures):
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = CLIPTextModel.from_pretrained(model / "text_encoder", dtype=torch.float32)

        def forward(self, ids):  # [N, L]
            return self.inner(ids, return_dict=False)[0]

    class Unet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = UNet2DConditionModel.from_pretrained(model / "unet", torch_dtype=torch.float32)

        def forward(self, x_t, t, context):
            return self.inner(x_t, t, context, return_dict=False)[0]

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = AutoencoderKL.from_pretrained(model / "vae", torch_dtype=torch.float32)

        def forward(self, latents):
            return self.inner.decode(latents, return_dict=False)[0]

    h, w, rows = height_px // 8, width_px // 8, 2 * pictures
    words = json.loads((model / "text_encoder" / "config.json").read_text())["max_position_embeddings"]
    def latents(n, h, w):
        return torch.randn(n, 4, h, w)

    parts = {
        "text_encoder": (Text, lambda m, h, w: [torch.ones(2, words, dtype=torch.int64)]),
        "unet": (Unet, lambda m, h, w: [latents(rows, h, w), torch.full([rows], 500.),
                                        torch.randn(rows, words, m.inner.config.cross_attention_dim)]),
        "vae_decoder": (Decoder, lambda m, h, w: [latents(pictures, h, w)]),
    }
    for name, (build, inputs) in parts.items():
        if not (folder / f"{name}.xml").exists():
            module = build()
            shapes = [list(x.shape) for x in inputs(module, h, w)]
            write(trace(module, inputs(module, EXAMPLE_SIDE, EXAMPLE_SIDE), shapes), folder / f"{name}.xml")
            del module
            gc.collect()


def quantise(folder):
    import nncf
    import openvino as ov
    unet = ov.Core().read_model(folder / "unet.xml")
    generator = np.random.default_rng(0)
    shapes = [list(port.shape) for port in unet.inputs]

    def inputs(t):
        return [generator.standard_normal(shapes[0], np.float32), np.full(shapes[1], t, np.float32),
                generator.standard_normal(shapes[2], np.float32)]

    dataset = nncf.Dataset([inputs(t) for t in np.linspace(1, 981, CALIBRATION_PICTURES)])
    advanced = nncf.AdvancedQuantizationParameters(disable_bias_correction=True)  # it would not change the speed
    write(nncf.quantize(unet, dataset, subset_size=CALIBRATION_PICTURES, model_type=nncf.ModelType.TRANSFORMER,
                        advanced_parameters=advanced), folder / "unet-int8.xml")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=1, help="pictures drawn together")
    parser.add_argument("--int8", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    write_facts(options.model, options.folder)
    export(options.model, options.folder, options.width, options.height, options.batch_size)
    if options.int8 and not (options.folder / "unet-int8.xml").exists():
        quantise(options.folder)


if __name__ == "__main__":
    main()
