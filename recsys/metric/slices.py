"""Means of groups of users, and of groups of items, from the table of all users. U users."""

from recsys.metric.per_user import Group, UserTable, group_metrics, mean


def user_group_means(table: UserTable, groups: list[Group], *, ks: list[int], min_users: int) -> dict[str, float]:
    """Recall and NDCG of each group's users.

    Args:
        groups: `codes` by user entity index.
        ks: cut-offs, among those of the table.
        min_users: smaller groups are left out.
    Returns:
        {"<group>/recall@20": mean, "<group>/users": count}.
    """
    names = [f"{metric}@{k}" for metric in group_metrics() for k in ks]
    places = [table.columns.index(name) for name in names]
    result: dict[str, float] = {}
    for group in groups:
        inside = group.codes[table.user] == group.code
        if inside.sum() >= max(min_users, 1):
            means = mean(table.values[inside][:, places])
            result |= {f"{group.name}/{name}": value for name, value in zip(names, means)}
            result[f"{group.name}/users"] = float(inside.sum())
    return result


def item_group_means(table: UserTable, groups: list[Group], *, ks: list[int], min_users: int) -> dict[str, float]:
    """Recall and NDCG of each group's items, over users with a relevant item among them.

    Args:
        groups: those the table was measured with.
        ks: cut-offs the groups were measured at.
        min_users: groups relevant to fewer users are left out.
    Returns:
        As `user_group_means`.
    """
    result: dict[str, float] = {}
    for group in groups:
        names = [f"{group.name}/{metric}@{k}" for metric in group_metrics() for k in ks]
        values = table.values[:, [table.columns.index(name) for name in names]]
        concerned = ~values[:, 0].isnan()
        if concerned.sum() >= max(min_users, 1):
            result |= dict(zip(names, mean(values[concerned])))
            result[f"{group.name}/users"] = float(concerned.sum())
    return result
