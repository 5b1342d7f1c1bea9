WITH growth AS (
?list_activity     SELECT
?list_activity         {d.account_id} AS account_id,
?list_activity         {d.list_id} AS list_id,
?list_activity         'day' AS period,
?list_activity         substr({d.day}, 1, 10) AS starts_on,
?list_activity         NULL AS subscribed_at_end,
?list_activity         coalesce({d.subs}, 0) + coalesce({d.other_adds}, 0) AS joined,
?list_activity         coalesce({d.unsubs}, 0) AS unsubscribed,
?list_activity         coalesce({d.other_removes}, 0) AS otherwise_left
?list_activity     FROM list_activity AS d
?list_activity     WHERE d._deleted_at IS NULL
?list_activity,growth_history     UNION ALL
?growth_history     SELECT
?growth_history         account_id,
?growth_history         list_id,
?growth_history         'month',
?growth_history         substr(month, 1, 7) || '-01',
?growth_history         subscribed,
?growth_history         -- Mailchimp gives the level at the end of the month and who left: the rest of the difference joined.
?growth_history         subscribed - before + unsubscribed + otherwise_left,
?growth_history         unsubscribed,
?growth_history         otherwise_left
?growth_history     FROM (
?growth_history         SELECT
?growth_history             {g.account_id} AS account_id,
?growth_history             {g.list_id} AS list_id,
?growth_history             {g.month} AS month,
?growth_history             {g.subscribed} AS subscribed,
?growth_history             lag({g.subscribed}) OVER (
?growth_history                 PARTITION BY {g.account_id}, {g.list_id} ORDER BY {g.month}
?growth_history             ) AS before,
?growth_history             coalesce({g.unsubscribed}, 0) AS unsubscribed,
?growth_history             coalesce({g.cleaned}, 0) + coalesce({g.deleted}, 0) AS otherwise_left
?growth_history         FROM growth_history AS g
?growth_history         WHERE g._deleted_at IS NULL
?growth_history     )
)
SELECT
    growth.account_id,
    growth.list_id,
    {l.name} AS list_name,
    growth.period,
    growth.starts_on,
    -- Null in the first month, of which it is not known with how many it began.
    growth.joined,
    growth.unsubscribed,
    growth.otherwise_left,
    growth.joined - growth.unsubscribed - growth.otherwise_left AS net,
    growth.subscribed_at_end
FROM growth
?lists LEFT JOIN lists AS l ON {l.id} = growth.list_id AND {l.account_id} IS growth.account_id
