"""The data types that have canonical bytes, by name."""

from typing import Any, Final

from linera_reference.application import Balance, Credit, TokenOperation
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Vote, VotePayload
from linera_reference.chain import ChainState
from linera_reference.identifiers import ChainDescription
from linera_reference.messages import Cursor, Message, OutgoingMessage
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.request import BlockAndRound, Request
from linera_reference.swap import Holdings, SwapMessage, SwapOperation

TYPES: Final[dict[str, Any]] = {
    kind.__name__: kind
    for kind in (
        Balance,
        Block,
        BlockAndRound,
        Certificate,
        ChainDescription,
        ChainState,
        ConfirmUpdatedRecipient,
        Credit,
        Cursor,
        ExecutedBlock,
        Holdings,
        Message,
        OutgoingMessage,
        Request,
        SwapMessage,
        SwapOperation,
        TokenOperation,
        UpdateRecipient,
        Vote,
        VotePayload,
    )
}
