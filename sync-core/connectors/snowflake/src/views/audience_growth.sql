WITH growth AS (
?list_activity     SELECT
?list_activity         {d.account_id} AS account_id,
?list_activity         {d.list_id} AS list_id,
?list_activity         'day' AS period,
?list_activity         {d.day date} AS starts_on,
?list_activity         NULL::NUMBER(38,0) AS subscribed_at_end,
?list_activity         COALESCE({d.subs integer}, 0) + COALESCE({d.other_adds integer}, 0) AS joined,
?list_activity         COALESCE({d.unsubs integer}, 0) AS unsubscribed,
?list_activity         COALESCE({d.other_removes integer}, 0) AS otherwise_left
?list_activity     FROM {list_activity} AS d
?list_activity     WHERE d."_DELETED_AT" IS NULL
?list_activity,growth_history     UNION ALL
?growth_history     SELECT
?growth_history         account_id,
?growth_history         list_id,
?growth_history         'month' AS period,
?growth_history         TRY_CAST(LEFT(month, 7) || '-01' AS DATE) AS starts_on,
?growth_history         subscribed AS subscribed_at_end,
?growth_history         -- Mailchimp gives the level at the end of the month and who left: the rest of the difference joined.
?growth_history         subscribed - level_before + unsubscribed + otherwise_left AS joined,
?growth_history         unsubscribed,
?growth_history         otherwise_left
?growth_history     FROM (
?growth_history         SELECT
?growth_history             {g.account_id} AS account_id,
?growth_history             {g.list_id} AS list_id,
?growth_history             {g.month} AS month,
?growth_history             {g.subscribed integer} AS subscribed,
?growth_history             LAG({g.subscribed integer}) OVER (
?growth_history                 PARTITION BY {g.account_id}, {g.list_id} ORDER BY {g.month}
?growth_history             ) AS level_before,
?growth_history             COALESCE({g.unsubscribed integer}, 0) AS unsubscribed,
?growth_history             COALESCE({g.cleaned integer}, 0) + COALESCE({g.deleted integer}, 0) AS otherwise_left
?growth_history         FROM {growth_history} AS g
?growth_history         WHERE g."_DELETED_AT" IS NULL
?growth_history     ) AS by_month
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
?lists LEFT JOIN {lists} AS l
?lists     ON {l.id} = growth.list_id AND {l.account_id} IS NOT DISTINCT FROM growth.account_id
