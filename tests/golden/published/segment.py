"""Objectives of dense prediction, and the weighing of several."""

import torch
import torch.nn.functional as F


def kendall(x, y, s, t):
    """Kendall, Gal, Cipolla, Multi-task learning using uncertainty (2018), equation 7, with s = log σ²: Σ exp(-s)·L/2 + s/2."""
    losses = [(x.abs().mean(), s.mean()), (y.square().mean(), t.mean())]
    return sum(0.5 * (-s).exp() * loss + 0.5 * s for loss, s in losses)


def cross_entropy(t, l):
    """The cross-entropy of as many classes as there are channels, at every pixel: `torch.nn.functional.cross_entropy`."""
    return F.cross_entropy(l, t.argmax(1))


def tversky(t, p, alpha=0.3, beta=0.7, smooth=1.0):
    """Salehi, Erdogmus, Gholipour, Tversky loss (2017): false positives weigh alpha, false negatives beta. By sample; a number
    added above and below, as usual with Dice."""
    total = 0.0
    for g, q in zip(t, p):
        both, wrong, missed = (g * q).sum(), ((1 - g) * q).sum(), (g * (1 - q)).sum()
        total = total + 1 - (both + smooth) / (both + alpha * wrong + beta * missed + smooth)
    return total / len(t)


def jaccard_steps(t):
    """Berman, Triki, Blaschko, Lovász-Softmax (2018), algorithm 1: what each pixel of a list in order of falling error adds to 1 - IoU."""
    losses = [0.0]
    for k in range(1, len(t) + 1):
        wrong = set(range(k))
        truth = {i for i in range(len(t)) if t[i] > 0}
        losses.append(1 - len(truth - wrong) / len(truth | wrong))
    return torch.tensor([b - a for a, b in zip(losses, losses[1:])], dtype=torch.float64)


def lovasz_hinge(t, l):
    """Berman et al.: hinge errors of one class, sorted, times the steps of the Jaccard loss; by sample."""
    total = 0.0
    for g, s in zip(t, l):
        g, s = g.flatten(), s.flatten()
        errors, order = F.relu(1 - (2 * g - 1) * s).sort(descending=True)
        total = total + errors @ jaccard_steps(g[order])
    return total / len(t)


def lovasz_softmax(t, l):
    """Berman et al.: the mean over classes of the Lovász extension of errors 1 - p and p; by sample, all classes."""
    total, count = 0.0, 0
    for g, s in zip(t, F.softmax(l, 1)):
        for truth, p in zip(g, s):
            truth, p = truth.flatten(), p.flatten()
            errors, order = (truth - p).abs().sort(descending=True)
            total, count = total + errors @ jaccard_steps(truth[order]), count + 1
    return total / count


def focal(t, l, alpha=0.25, gamma=2.0):
    """Lin et al., Focal Loss (2017), equation 5: -α_t (1 - p_t)^γ log p_t, the mean over all pixels."""
    p = torch.sigmoid(l)
    right, share = torch.where(t > 0, p, 1 - p), torch.where(t > 0, alpha, 1 - alpha)
    return (-share * (1 - right) ** gamma * right.log()).mean()


def cases(case, rand):
    two = {"x": ("Map", "@f", rand("kx", (2, 1, 3, 4))), "y": ("Map", "@f", rand("ky", (2, 1, 3, 4)))}
    logs = {"s": ("Values", "", torch.tensor([[0.7]])), "t": ("Values", "", torch.tensor([[-0.4]]))}
    case("kendall", "two tasks", "weighed(mean(abs(x)), mean(s)) + weighed(mean(y * y), mean(t))", kendall, two | logs,
         ["x", "y", "s", "t"])
    kinds = F.one_hot((rand("kinds", (2, 3, 4), 0, 3)).long(), 3).permute(0, 3, 1, 2).double()
    dense = {"t": ("Label", "@f", kinds), "l": ("Logit", "@f", rand("dense", (2, 3, 3, 4), -3, 3))}
    case("cross_entropy", "dense", "cross_entropy(t, l)", cross_entropy, dense, ["l"])
    one = (rand("one", (2, 1, 3, 5)) > 0.2).double()
    soft = {"t": ("Label", "@f", one), "p": ("Prob", "@f", rand("soft", (2, 1, 3, 5), 0.02, 0.98))}
    case("tversky", "loss", "tversky(t, p)", tversky, soft, ["p"])
    hinge = {"t": soft["t"], "l": ("Logit", "@f", rand("hinge", (2, 1, 3, 5), -3, 3))}
    case("lovasz", "hinge", "lovasz_hinge(t, l)", lovasz_hinge, hinge, ["l"])
    case("lovasz", "softmax", "lovasz_softmax(t, l)", lovasz_softmax, dense, ["l"])
    case("focal", "weighed", "balanced(t, l)", focal, hinge, ["l"])
