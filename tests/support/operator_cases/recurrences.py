"""Recurrent layers over sequences of a fixed length."""

from __future__ import annotations

from torch import Tensor, nn

from tests.support.operator_cases.case import layer_case


class _TimeFirst(nn.Module):
    """A recurrent layer over ``(T, N, C)``, from and to ``(N, T, C)``."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x.transpose(0, 1))[0]
        return output.transpose(0, 1)


class _LastState(nn.Module):
    """The last hidden state of a recurrent layer's last layer, a usual summary of a sequence."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        state = self.layer(x)[1]
        hidden: Tensor = state[0] if isinstance(state, tuple) else state
        return hidden[-1]


RECURRENCES = (
    layer_case("lstm", nn.LSTM(3, 2, batch_first=True), (4, 3)),
    layer_case("lstm, time first", _TimeFirst(nn.LSTM(3, 2)), (4, 3)),
    layer_case("lstm, two layers, both directions", nn.LSTM(3, 2, 2, batch_first=True, bidirectional=True), (3, 3)),
    layer_case("lstm, projected, without bias", nn.LSTM(3, 4, bias=False, proj_size=2, batch_first=True), (3, 3)),
    layer_case("lstm, last state", _LastState(nn.LSTM(3, 2, batch_first=True)), (4, 3)),
    layer_case("gru", nn.GRU(3, 2, batch_first=True), (4, 3)),
    layer_case("gru, two layers, both directions", nn.GRU(3, 2, 2, batch_first=True, bidirectional=True), (3, 3)),
    layer_case("gru, last state", _LastState(nn.GRU(3, 2, batch_first=True)), (4, 3)),
    layer_case("rnn tanh", nn.RNN(3, 2, batch_first=True), (4, 3)),
    layer_case(
        "rnn relu, both directions", nn.RNN(3, 2, nonlinearity="relu", bidirectional=True, batch_first=True), (3, 3)
    ),
    layer_case("lstm cell", nn.LSTMCell(3, 2), (3,)),
    layer_case("gru cell", nn.GRUCell(3, 2), (3,)),
)
