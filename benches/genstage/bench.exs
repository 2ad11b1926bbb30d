# The workloads W1 to W7 of `benches`, in GenStage. README.md says how to run it.

defmodule Source do
  use GenStage

  def init({from, events, options}), do: {:producer, {from, events}, options}

  def handle_demand(demand, {next, left}) do
    count = min(demand, left)
    {:noreply, numbers(next, count), {next + count, left - count}}
  end

  defp numbers(_next, 0), do: []
  defp numbers(next, count), do: Enum.to_list(next..(next + count - 1))
end

defmodule Payloads do
  # 1 KiB each. A binary of that size is shared and not copied.
  use GenStage

  def init({events, options}), do: {:producer, {0, events}, options}

  def handle_demand(demand, {next, left}) do
    count = min(demand, left)
    events = for n <- next..(next + count - 1)//1, do: :binary.copy(<<n::64>>, 128)
    {:noreply, events, {next + count, left - count}}
  end
end

defmodule Adder do
  use GenStage

  def init(subscription), do: {:producer_consumer, nil, subscribe_to: [subscription]}

  def handle_events(events, _from, state) do
    {:noreply, Enum.map(events, &(&1 + 1)), state}
  end
end

defmodule Sum do
  # Whoever handles the last event says so. The counter is shared: consumers
  # that run at the same time count together, once a batch.
  use GenStage

  def init({handled, total, parent, subscription}) do
    {:consumer, {0, handled, total, parent}, subscribe_to: [subscription]}
  end

  def handle_events(events, _from, {sum, handled, total, parent}) do
    sum = Enum.reduce(events, sum, fn event, sum -> sum + number(event) end)

    if :atomics.add_get(handled, 1, length(events)) == total do
      send(parent, :handled)
    end

    {:noreply, [], {sum, handled, total, parent}}
  end

  def handle_call(:sum, _from, {sum, _, _, _} = state), do: {:reply, sum, [], state}

  defp number(<<n::64, _::binary>>), do: n
  defp number(n), do: n
end

defmodule Bench do
  def start(module, argument) do
    {:ok, stage} = GenStage.start(module, argument)
    stage
  end

  # Runs what `build` builds until all events are handled; checks the sum.
  def run(total, expected, build) do
    handled = :atomics.new(1, [])
    sum = fn subscription -> start(Sum, {handled, total, self(), subscription}) end
    started = System.monotonic_time(:nanosecond)
    {stages, sums} = build.(sum)

    receive do
      :handled -> :ok
    end

    took = System.monotonic_time(:nanosecond) - started
    ^expected = sums |> Enum.map(&GenStage.call(&1, :sum)) |> Enum.sum()
    # From the consumers up, so that nobody is told that its producer is gone.
    Enum.each(sums ++ Enum.reverse(stages), &GenStage.stop/1)
    :erlang.garbage_collect()
    took
  end

  def triangle(n), do: div(n * (n - 1), 2)

  def chain(events, adders, options) do
    run(events, triangle(events) + events * adders, fn sum ->
      source = start(Source, {0, events, []})

      stages =
        Enum.scan([source | List.duplicate(Adder, adders)], fn Adder, above ->
          start(Adder, {above, options})
        end)

      {stages, [sum.({List.last(stages), options})]}
    end)
  end

  def fan_out(events, consumers) do
    run(events, triangle(events), fn sum ->
      source = start(Source, {0, events, []})
      {[source], for(_ <- 1..consumers, do: sum.({source, []}))}
    end)
  end

  def broadcast(module, argument, events, consumers) do
    run(events * consumers, triangle(events) * consumers, fn sum ->
      source = start(module, argument)
      sums = for _ <- 1..consumers, do: sum.({source, []})
      GenStage.demand(source, :forward)
      {[source], sums}
    end)
  end

  def broadcast(events, consumers) do
    broadcast(Source, {0, events, closed()}, events, consumers)
  end

  def payloads(events, consumers) do
    broadcast(Payloads, {events, closed()}, events, consumers)
  end

  defp closed, do: [dispatcher: GenStage.BroadcastDispatcher, demand: :accumulate]

  def partition(events, partitions) do
    dispatcher = {GenStage.PartitionDispatcher, partitions: partitions}

    run(events, triangle(events), fn sum ->
      source = start(Source, {0, events, [dispatcher: dispatcher]})
      {[source], for(n <- 0..(partitions - 1), do: sum.({source, partition: n}))}
    end)
  end

  def pairs(pairs, each) do
    run(pairs * each, pairs * triangle(each), fn sum ->
      1..pairs
      |> Enum.map(fn _ ->
        source = start(Source, {0, each, []})
        {source, sum.({source, []})}
      end)
      |> Enum.unzip()
    end)
  end

  # The median of so many runs, after one that is not counted.
  def median(runs, fun) do
    fun.()
    times = for _ <- 1..runs, do: fun.()
    Enum.at(Enum.sort(times), div(runs, 2))
  end
end

runs =
  case System.argv() do
    [runs] -> String.to_integer(runs)
    [] -> 5
  end

workloads = [
  {"W1", 2_000_000, &Bench.chain(&1, 1, [])},
  {"W2", 100_000, &Bench.chain(&1, 1, max_demand: 1, min_demand: 0)},
  {"W3", 500_000, &Bench.chain(&1, 16, [])},
  {"W4", 2_000_000, &Bench.fan_out(&1, 8)},
  {"W5", 500_000, &Bench.broadcast(&1, 8)},
  {"W5-1KiB", 200_000, &Bench.payloads(&1, 8)},
  {"W6", 1_000_000, &Bench.partition(&1, 8)},
  {"W7", 1_000_000, &Bench.pairs(div(&1, 100), 100)}
]

IO.puts("GenStage on OTP #{System.otp_release()}, #{System.schedulers_online()} schedulers")

for {name, events, workload} <- workloads do
  took = Bench.median(runs, fn -> workload.(events) end)
  IO.puts("#{String.pad_trailing(name, 8)} #{Float.round(took / events, 1)} ns per event")
end
