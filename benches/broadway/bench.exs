# Acked messages through a source, 8 processors and a batcher of 100, in
# Broadway. README.md says how to run it.

defmodule Acks do
  # Counts what was acked and adds up its data, once a call, as an origin would
  # mark what it is told of. Whoever acks the last message says so.
  @behaviour Broadway.Acknowledger

  @count 1
  @sum 2
  @failed 3

  def new(total), do: {:atomics.new(3, []), total, self()}

  def ack({counts, total, parent}, successful, failed) do
    :atomics.add(counts, @failed, length(failed))
    :atomics.add(counts, @sum, Enum.reduce(successful, 0, &(&1.data + &2)))

    if :atomics.add_get(counts, @count, length(successful)) == total do
      send(parent, :acked)
    end

    :ok
  end

  def sum({counts, _, _}), do: :atomics.get(counts, @sum)
  def failed({counts, _, _}), do: :atomics.get(counts, @failed)
end

defmodule Source do
  # As many numbers as are asked for, each a message with its acknowledger.
  use GenStage
  @behaviour Broadway.Producer

  def init({total, acks}), do: {:producer, {0, total, acks}}

  def handle_demand(demand, {next, left, acks}) do
    count = min(demand, left)

    messages =
      for n <- next..(next + count - 1)//1 do
        %Broadway.Message{data: n, acknowledger: {Acks, acks, nil}}
      end

    {:noreply, messages, {next + count, left - count, acks}}
  end
end

defmodule Acked do
  use Broadway

  def start_link(total, acks, processors, batchers) do
    Broadway.start_link(__MODULE__,
      name: __MODULE__,
      producer: [module: {Source, {total, acks}}, concurrency: 1],
      processors: [default: [concurrency: processors, max_demand: 10]],
      batchers: batchers
    )
  end

  def handle_message(_processor, message, _context), do: message
  def handle_batch(_batcher, messages, _info, _context), do: messages
end

defmodule Bench do
  # Runs until all messages are acked; checks that each was, and none failed.
  def run(total, processors, batchers) do
    acks = Acks.new(total)
    started = System.monotonic_time(:nanosecond)
    {:ok, pipeline} = Acked.start_link(total, acks, processors, batchers)

    receive do
      :acked -> :ok
    end

    took = System.monotonic_time(:nanosecond) - started
    true = Acks.sum(acks) == div(total * (total - 1), 2)
    0 = Acks.failed(acks)
    Broadway.stop(pipeline)
    :erlang.garbage_collect()
    took
  end

  # The median, least and most of so many runs, after one that is not counted.
  def figures(runs, fun) do
    fun.()
    times = Enum.sort(for _ <- 1..runs, do: fun.())
    {Enum.at(times, div(runs, 2)), hd(times), List.last(times)}
  end
end

runs =
  case System.argv() do
    [runs] -> String.to_integer(runs)
    [] -> 5
  end

# Without Hex there is no application file that says so.
Application.put_env(:broadway, :config_storage, :persistent_term)
{:ok, _} = Application.ensure_all_started(:telemetry)

workloads = [
  {"acked", 200_000, 8, [default: [concurrency: 1, batch_size: 100]]},
  {"unbatched", 200_000, 8, []}
]

IO.puts("Broadway on OTP #{System.otp_release()}, #{System.schedulers_online()} schedulers")

for {name, messages, processors, batchers} <- workloads do
  {median, least, most} = Bench.figures(runs, fn -> Bench.run(messages, processors, batchers) end)
  [median, least, most] = for took <- [median, least, most], do: round(took / messages)
  IO.puts("#{String.pad_trailing(name, 10)} #{median} (#{least}-#{most}) ns per message")
end
