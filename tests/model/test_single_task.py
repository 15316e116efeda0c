import torch

from recsys.model.single_task import SingleTask


def test_each_head_is_its_own_network_over_its_own_input(assembled, features):
    model = assembled(SingleTask, [6])
    expected = [network(rows(features))[:, 0] for rows, network in zip(model.inputs, model.networks)]
    assert len(expected) == 5
    torch.testing.assert_close(model.raw_outputs(features), torch.stack(expected, dim=1))


def test_a_head_has_no_gradient_into_the_parameters_of_others(assembled, head_gradients):
    gradients = head_gradients(assembled(SingleTask, [6]))
    own = {name: by_head for name, by_head in gradients.items() if not name.startswith("bias.")}
    assert max(len(by_head) for by_head in own.values()) == 1
    assert {head for by_head in own.values() for head in by_head} == {"click", "basket", "conversion", "rating", "conversion/imputation"}


def test_nothing_is_shared(assembled, shared_names, declared_names):
    model = assembled(SingleTask, [6])
    assert shared_names(model) == declared_names(model) == set()
