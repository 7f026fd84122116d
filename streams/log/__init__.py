"""Kafka: the log's terms and contract, a client, transactional producers in a ring, consumers, and the admin client.

Every mend of aiokafka 0.14.0 (pinned) is in this room or in `streams.intake`. A test
(tests/streams/log/test_private_names.py) finds any other module that uses a private name of aiokafka. The client for
platforms (`streams.client`) imports nothing of Segue, so it has the mends that it needs, too; this room imports them
from there.

- `batches`: aiokafka decodes header names as UTF-8 and fails for ever on others. Any name is decoded.
- `consumers`, by `streams.client.stopping`: `stop` raises what the consumer's tasks ended with, and leaves connections
  open and tasks running. They are closed and ended.
- A consumer may bring nothing more after a broker's restart. Its owner notices: `streams.worker.silence` opens the
  partition again, `streams.delivery.watch` and `streams.client.silence` replace the consumer. Each compares positions
  with the ends that another client sees, but they know different things: a worker knows what its partitions do, a
  deliverer asks whether an open transaction is all that is left, a platform's consumer is only seen when it polls.
- `producer`: aiokafka commits although a batch was refused, repeats an unanswered EndTxn, and flushes without
  a deadline when it stops. Deliveries are awaited, EndTxn is sent once, nothing is flushed.
- `connecting`: aiokafka logs why a connection failed and forgets it, fixes credentials for a client's life, and takes a
  token that was refused for accepted. Each connection takes credentials as they are then and notes a refusal.
- `rights`: there is no call for what a client may do. The requests are spelled out.
- `admin`: there is no call for the versions that a broker speaks. The request is sent.
- `call`: there is no call for the metadata of one topic. The private one is used.
"""
