"""A transaction's requests, sent by the task that publishes, one after the other.

aiokafka's sender is a task that looks for work, and makes a task for each request. A change then waits for the event
loop about twenty times a transaction, each time behind whatever else computes. Here the publisher's own task sends
AddPartitionsToTxn, Produce and EndTxn and awaits their answers: three waits. What an answer means, and when a request
is sent again, is aiokafka's (its handlers), except that EndTxn is sent once.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import errors
from aiokafka.client import CoordinationType
from aiokafka.producer.sender import EndTxnHandler, Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionResult
from aiokafka.structs import RecordMetadata, TopicPartition

from streams.log.answers import at_once


class EndUnanswered(errors.KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """EndTxn was not answered, or was answered with "ask again"."""


class TransactionSender(Sender):  # type: ignore[misc]
    """aiokafka's sender without its task. One caller at a time; after a failure the transaction cannot go on.

    Each method raises what aiokafka raises (`producer.FAILING`), and sends nothing after it was cancelled.
    """

    async def start(self) -> None:
        """Get the producer id (InitProducerId). There is no task: nothing is sent but by the methods below."""
        await self._maybe_wait_for_pid()

    def begin(self) -> None:
        """Begin a transaction; the brokers learn of it with its first partitions."""
        self._txn_manager.begin_transaction()

    async def deliver(self, builders: Mapping[TopicPartition, Any]) -> dict[TopicPartition, RecordMetadata]:
        """Send one batch to each partition, and return what the brokers answered. Raises the first refusal.

        A batch that a broker could not take yet is sent again with the same sequence number, so it stands there once.
        """
        accumulator = self._message_accumulator
        batches = {where: accumulator._append_batch(builder, where) for where, builder in builders.items()}  # noqa: SLF001
        await self._add_partitions()
        while accumulator._batches:  # noqa: SLF001 - filled again by what must be sent again
            at_nodes, leaders_missing = accumulator.drain_by_nodes(ignore_nodes=())
            await self._produce(at_nodes)
            if leaders_missing:
                await asyncio.sleep(self._retry_backoff)
                await self.client.force_metadata_update()
        # asked of every batch: asyncio logs an exception that nobody asked for
        refusals = [error for batch in batches.values() if (error := batch.future.exception()) is not None]
        if refusals:
            raise refusals[0]
        return {where: batch.future.result() for where, batch in batches.items()}

    async def end(self, *, commit: bool) -> None:
        """Commit or abort, with one EndTxn. Raises EndUnanswered: the transaction may have ended or not."""
        manager = self._txn_manager
        if commit:
            manager.committing_transaction()
        else:
            manager.aborting_transaction()
        if manager.is_empty_transaction():
            manager.complete_transaction()
            return
        result = TransactionResult.COMMIT if commit else TransactionResult.ABORT
        if not await EndTxnHandler(self, result).do(await self._coordinator()):
            raise EndUnanswered

    async def _add_partitions(self) -> None:
        """Add the partitions of the waiting batches that are not in the transaction yet."""
        manager = self._txn_manager
        while manager.partitions_to_add():
            await self._do_add_partitions_to_txn(manager.partitions_to_add())
            refused = manager.wait_for_transaction_end()
            if refused.done():
                refused.result()  # a topic may not be written to: it holds that exception

    async def _produce(self, at_nodes: Mapping[int, Mapping[TopicPartition, Any]]) -> None:
        """Send each node its batches, at the same time; each batch learns its answer."""
        sending = [SendProduceReqHandler(self, batches).do(node) for node, batches in at_nodes.items()]
        if len(sending) == 1:
            await sending[0]  # without a task of its own
        elif sending:
            await asyncio.gather(*(at_once(each) for each in sending))

    async def _coordinator(self) -> int:
        node: int = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        return node
