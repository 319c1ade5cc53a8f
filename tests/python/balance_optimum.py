"""The lowest worst utilisation that a placement can have, proven by CP-SAT.

Reads instances from standard input, a JSON object a line:
  {"racks": [0, 1, …], "capacity": [[…4 numbers or null], …], "size": [[…4], …],
   "limit": 2, "partitions": [{"replicas": 3, "disk": 5, "in": 3, "leads": 7, "follows": 0}, …]}
`size` is what utilisation is measured by, `limit` is by partition how many replicas a rack may have.
Prints for each the lowest worst utilisation and the bound, in millionths, and whether it is proven.
"""

import json
import sys

from ortools.sat.python import cp_model

MILLION = 1_000_000


def solve(instance, seconds):
    model = cp_model.CpModel()
    brokers = range(len(instance["racks"]))
    terms = [[[] for _ in range(4)] for _ in brokers]
    for partition in instance["partitions"]:
        has = [model.new_bool_var("") for _ in brokers]
        leads = [model.new_bool_var("") for _ in brokers]
        model.add(sum(has) == partition["replicas"])
        model.add(sum(leads) == 1)
        for rack in set(instance["racks"]):
            own = [has[broker] for broker in brokers if instance["racks"][broker] == rack]
            model.add(sum(own) <= partition["limit"])
        for broker in brokers:
            model.add_implication(leads[broker], has[broker])
            amounts = [1, partition["disk"], partition["in"], partition["follows"]]
            for resource, amount in enumerate(amounts):
                terms[broker][resource].append(amount * has[broker])
            extra = partition["leads"] - partition["follows"]
            terms[broker][3].append(extra * leads[broker])
    worst = model.new_int_var(0, 1000 * MILLION, "worst")
    for broker in brokers:
        for resource in range(4):
            load = sum(terms[broker][resource])
            capacity = instance["capacity"][broker][resource]
            if capacity is not None:
                model.add(load <= capacity)
            # load / size <= worst / MILLION
            model.add(load * MILLION <= worst * instance["size"][broker][resource])
    model.minimize(worst)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return {"status": solver.status_name(status)}
    return {
        "status": solver.status_name(status),
        "worst": int(solver.objective_value),
        "bound": int(solver.best_objective_bound),
    }


def main():
    seconds = float(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(solve(json.loads(line), seconds)), flush=True)


main()
