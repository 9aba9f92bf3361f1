"""Makes tests/golden/pretrained/: small files of weights as PyTorch writes them, for src/engine/pretrained. Run once, by hand.

    python -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/golden/pretrained.py

Layers are named as torchvision and timm name those of their vgg16 and resnet18; there are fewer of them, and narrower ones.
"""

import pathlib
from collections import OrderedDict

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "pretrained"


def vgg():
    """`features` of two blocks, and a classifier."""
    conv, relu, pool = torch.nn.Conv2d, torch.nn.ReLU, torch.nn.MaxPool2d
    net = torch.nn.Module()
    net.features = torch.nn.Sequential(
        conv(1, 4, 3, padding=1), relu(), conv(4, 4, 3, padding=1), relu(), pool(2), conv(4, 8, 3, padding=1), relu(), conv(8, 8, 3, padding=1), relu(),
    )
    net.classifier = torch.nn.Sequential(torch.nn.Linear(8, 5), relu(), torch.nn.Linear(5, 3))
    return net


class Block(torch.nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        conv, norm = torch.nn.Conv2d, torch.nn.BatchNorm2d
        self.conv1, self.bn1 = conv(inputs, width, 3, stride, 1, bias=False), norm(width)
        self.conv2, self.bn2 = conv(width, width, 3, 1, 1, bias=False), norm(width)
        if stride != 1:
            self.downsample = torch.nn.Sequential(conv(inputs, width, 1, stride, bias=False), norm(width))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(1, 4, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(4)
        self.layer1 = torch.nn.Sequential(Block(4, 4, 1), Block(4, 4, 1))
        self.layer2 = torch.nn.Sequential(Block(4, 8, 2), Block(8, 8, 1))
        self.fc = torch.nn.Linear(8, 3)

    def features(self, x):
        return self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x)))))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(3)
    net = vgg().state_dict()
    torch.save(net, FOLDER / "vgg.pth")
    torch.save(net, FOLDER / "vgg-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, "state_dict": {f"module.{k}": v for k, v in net.items()}}, FOLDER / "vgg-checkpoint.pt")
    save_file(net, FOLDER / "vgg.safetensors")
    # Other types, numbers that lie apart in their storage, and two tensors in one storage.
    wide = torch.randn(8, 8, 3, 3)
    odd = OrderedDict(net)
    odd["features.0.weight"] = net["features.0.weight"].half()
    odd["features.2.weight"] = net["features.2.weight"].bfloat16()
    odd["features.5.weight"] = torch.nn.Parameter(net["features.5.weight"].double())
    odd["features.7.weight"] = wide.transpose(0, 1)
    both = torch.arange(16.0)
    odd["features.5.bias"], odd["features.7.bias"] = both[:8], both[8:]
    torch.save(odd, FOLDER / "odd.pth")
    save_file({k: v.detach().float().contiguous().clone() for k, v in odd.items()}, FOLDER / "odd.safetensors")

    resnet = ResNet()
    for name, tensor in resnet.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) if "var" in name else torch.randn_like(tensor) * 0.3)
    resnet.eval()
    x = torch.randn(2, 1, 8, 8)
    torch.save(resnet.state_dict(), FOLDER / "resnet.pth")
    save_file(resnet.state_dict(), FOLDER / "resnet.safetensors")
    save_file({"x": x, "y": resnet.features(x).detach()}, FOLDER / "resnet-values.safetensors")
    for path in sorted(FOLDER.iterdir()):
        path.chmod(0o644)
        print(path, path.stat().st_size)
