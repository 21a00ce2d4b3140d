import torch


def gradients(attempt, parts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """DDP's average of the workers' gradients, and the gradient of the mean over all tokens."""
    weights = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    counts, asked, total = [len(part) for part in parts], [], sum(map(len, parts))

    def add_up(number):
        value = float(torch.as_tensor(number).detach())
        assert value in counts, (
            f"add_up() got {value:g} where the worker has {counts[len(asked)]} tokens"
            ": add up how many tokens there are, so that all workers divide by the same number"
        )
        asked.append(value)
        return number * 0 + total

    average = torch.zeros_like(weights)
    for part in parts:
        loss = attempt.part_loss((part @ weights) ** 2, len(parts), add_up)
        assert isinstance(loss, torch.Tensor) and loss.ndim == 0, (
            "part_loss returns one number in a tensor, so that backward() can start there"
        )
        assert loss.requires_grad, "the loss has lost its graph: no .item(), no .detach()"
        average += torch.autograd.grad(loss, weights)[0] / len(parts)
    whole = (torch.cat(parts) @ weights).square().mean()
    return average, torch.autograd.grad(whole, weights)[0]


def check(attempt) -> str:
    torch.manual_seed(0)
    for sizes in ([6, 6], [3, 9], [2, 5, 1, 7]):
        parts = [torch.randn(size, 2, dtype=torch.float64) for size in sizes]
        got, right = gradients(attempt, parts)
        ratio = float((got @ right) / (right @ right))
        if torch.allclose(got, right * ratio) and abs(ratio - 1) > 1e-6:
            raise AssertionError(
                f"with parts of {sizes} tokens the gradient is {ratio:.3g} times as long as it"
                " should be: every loss is divided by the tokens of all workers, and then DDP"
                f" divides the sum by {len(sizes)} workers"
            )
        assert torch.allclose(got, right), (
            f"with parts of {sizes} tokens it is not the gradient of the mean over all tokens"
            ": the mean of the parts' means gives a token in a small part more weight"
        )
    return "equal parts or not, the average is the gradient of the mean over all tokens"
