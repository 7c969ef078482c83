"""Folders that save_pretrained writes, read; folders of ours, read by from_pretrained."""

import json
from pathlib import Path

import pytest
import torch
from mae_reference import SHAPES, build_reference, our_config
from safetensors.torch import load_file, save_file
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from survey_tools.errors import DataError, OutputError, ParameterError
from survey_tools.mae.config import ModelConfig
from survey_tools.mae.layout import from_published, to_published
from survey_tools.mae.masking import mask_by_noise
from survey_tools.mae.model import MaskedAutoencoder
from survey_tools.mae.published_folder import config_from_published, read_folder, write_folder

SMALL = "4 x 4 patches, 1 channel"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a folder that the reference wrote."""
    build_reference(SMALL, norm_pix=True).save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


@pytest.mark.parametrize("name", SHAPES)
def test_a_saved_reference_loads(name: str, tmp_path: Path) -> None:
    """What save_pretrained wrote gives the same loss in ours."""
    reference = build_reference(name, norm_pix=True)
    reference.save_pretrained(tmp_path)
    ours = read_folder(tmp_path)
    assert ours.config.positions == "loaded"
    assert ours.config.layer_norm_eps == 1e-12
    config = ours.config
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(2, config.n_channels, *config.image_size, generator=generator)
    noise = torch.rand(2, config.n_patches, generator=generator)
    expected = reference(images, noise=noise).loss.item()
    found = ours(images, mask_by_noise(noise, n_kept=config.n_kept)).loss.item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_names_of_transformers_4_and_pickled_weights_load(saved: Path) -> None:
    """The published models' own names, in pytorch_model.bin, are read as well."""
    weights = {
        name.replace("decoder.decoder_encoder.layer.", "decoder.decoder_layers."): value
        for name, value in load_file(saved / "model.safetensors").items()
    }
    assert "decoder.decoder_layers.0.attention.attention.query.weight" in weights
    expected = read_folder(saved).state_dict()
    (saved / "model.safetensors").unlink()
    torch.save(weights, saved / "pytorch_model.bin")
    found = read_folder(saved).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize("positions", ["sin-cos", "learned", "loaded"])
def test_a_folder_of_ours_is_read_by_both(positions: str, tmp_path: Path) -> None:
    """from_pretrained reads every weight of ours, and so do we, config included."""
    config = ModelConfig.from_dict(
        our_config(build_reference(SMALL, norm_pix=True)).to_dict() | {"positions": positions}
    )
    generator = torch.Generator().manual_seed(6)
    ours = MaskedAutoencoder(config, generator=generator)
    with torch.no_grad():
        for value in ours.state_dict().values():
            value.normal_(std=0.2, generator=generator)
    write_folder(ours, tmp_path / "ours")
    assert sorted(path.name for path in (tmp_path / "ours").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    reference, report = ViTMAEForPreTraining.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(report.values())
    images = torch.randn(2, 1, 16, 16, generator=generator)
    mask = ours.sample_mask(2, generator=generator)
    expected = ours(images, mask).loss.item()
    found = reference.eval()(images, noise=mask.restore.float()).loss.item()
    assert found == pytest.approx(expected, rel=1e-5)
    again = read_folder(tmp_path / "ours")
    kind = "sin-cos" if positions == "sin-cos" else "loaded"
    assert again.config.to_dict() == config.to_dict() | {"positions": kind}
    assert again(images, mask).loss.item() == expected


def test_a_saved_model_is_replaced_and_what_stays_is_left(tmp_path: Path) -> None:
    """Writing again replaces the two files and nothing else."""
    config = our_config(build_reference(SMALL, norm_pix=False))
    first, second = (
        MaskedAutoencoder(config, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    write_folder(first, tmp_path)
    (tmp_path / "notes.txt").write_text("kept")
    write_folder(second, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "kept"
    found, expected = read_folder(tmp_path).state_dict(), second.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """A folder that cannot be made is an error of output, and nothing is left behind."""
    config = our_config(build_reference(SMALL, norm_pix=False))
    (tmp_path / "taken").write_text("")
    model = MaskedAutoencoder(config, generator=torch.Generator().manual_seed(0))
    with pytest.raises(OutputError, match="taken: cannot be written"):
        write_folder(model, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "vit"}, "model_type='vit': only 'vit_mae'"),
        ({"hidden_act": "relu"}, "hidden_act='relu': only 'gelu'"),
        ({"qkv_bias": False}, "qkv_bias=False: only True"),
        ({"image_size": 18}, "height 18 is not divisible"),
        ({"image_size": [16, 32]}, "image_size=16 x 32: .* square"),
        ({"intermediate_size": 100}, "only one ratio for both"),
        ({"hidden_size": "wide"}, "hidden_size='wide': a whole number"),
        ({"hidden_size": 64, "intermediate_size": 256}, "has shape .* its config asks for"),
        ({"num_hidden_layers": 3}, "weights are missing: vit.encoder.layer.2"),
        ({"num_hidden_layers": 1}, "weights are unknown: vit.encoder.layer.1"),
    ],
)
def test_configs_that_do_not_fit_are_refused(saved: Path, fields: dict, message: str) -> None:
    """Another kind of model, or another size than the weights', is refused by field or tensor."""
    path = saved / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(DataError, match=message):
        read_folder(saved)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("config.json", b"{", "is no JSON"),
        ("config.json", b"[]", "an object with the fields"),
        ("config.json", b"\xff", "is not UTF-8"),
        ("config.json", None, "config.json: no such file"),
        ("model.safetensors", b"not tensors", "is no whole safetensors file"),
        ("model.safetensors", None, "holds neither model.safetensors nor pytorch_model.bin"),
    ],
)
def test_damaged_and_missing_files_are_named(
    saved: Path, name: str, data: bytes | None, message: str
) -> None:
    """A file that is missing or damaged is named."""
    if data is None:
        (saved / name).unlink()
    else:
        (saved / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_folder(saved)


def test_half_a_file_and_pickled_code_are_refused(saved: Path) -> None:
    """A truncated file of either kind is refused, and so is a pickle of anything but weights."""
    safe, pickled = saved / "model.safetensors", saved / "pytorch_model.bin"
    whole = safe.read_bytes()
    safe.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no whole safetensors file"):
        read_folder(saved)
    safe.unlink()
    torch.save({"a": torch.zeros(100)}, pickled)
    pickled.write_bytes(pickled.read_bytes()[:300])
    with pytest.raises(DataError, match="no whole file of weights"):
        read_folder(saved)
    pickled.write_bytes(b"hello")
    with pytest.raises(DataError, match="no whole file of weights"):
        read_folder(saved)
    torch.save({"path": Path("x")}, pickled)
    with pytest.raises(DataError, match="no whole file of weights"):
        read_folder(saved)
    torch.save([torch.zeros(2)], pickled)
    with pytest.raises(DataError, match="something else than weights by name"):
        read_folder(saved)


def test_several_files_of_weights_are_refused(saved: Path) -> None:
    """Weights in several files are refused with what to do."""
    (saved / "model.safetensors").unlink()
    (saved / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(DataError, match="in several files; save them as one"):
        read_folder(saved)


def test_weights_that_are_not_numbers_are_refused(saved: Path) -> None:
    """NaN in a checkpoint is refused by the tensor's name."""
    weights = load_file(saved / "model.safetensors")
    weights["decoder.decoder_norm.bias"][3] = float("nan")
    save_file(weights, saved / "model.safetensors")
    with pytest.raises(DataError, match=r"decoder\.decoder_norm\.bias holds NaN"):
        read_folder(saved)


def test_what_the_layout_has_no_place_for_is_refused() -> None:
    """Rectangles and models without a cls token cannot be written."""
    fields = our_config(build_reference(SMALL, norm_pix=False)).to_dict()
    for change, message in (
        ({"image_size": [16, 32]}, "image_size=16 x 32"),
        ({"patch_size": [4, 2]}, "patch_size=4 x 2"),
        ({"cls_token": False}, "cls_token=False"),
    ):
        config = ModelConfig.from_dict(fields | change)
        model = MaskedAutoencoder(config, generator=torch.Generator().manual_seed(0))
        with pytest.raises(ParameterError, match=message):
            to_published(model)


def test_what_a_config_leaves_out_is_as_transformers_has_it() -> None:
    """An empty config.json is ViT-B with pixels as they are and an epsilon of 1e-12."""
    assert config_from_published({}) == config_from_published(ViTMAEConfig().to_dict())
    assert config_from_published({}).encoder_width == 768
    assert not config_from_published({}).norm_pix


def test_published_positions_are_recognised() -> None:
    """Tables that are the computed ones, to rounding, are not kept as loaded ones."""
    config = our_config(build_reference(SMALL, norm_pix=False))
    model = MaskedAutoencoder(config, generator=torch.Generator().manual_seed(0))
    weights = to_published(model)
    name = "vit.embeddings.position_embeddings"
    weights[name] = weights[name] + 1e-7 * (weights[name] != 0)
    assert from_published(weights, config).config.positions == "sin-cos"
    weights[name] = weights[name].flip(1)
    assert from_published(weights, config).config.positions == "loaded"
