create or replace view shop.daily_sales as
select o.ordered_at::date as day, count(distinct o.id) as orders, sum(i.quantity * i.price) as sales
from shop.orders o
join shop.order_items i on i.order_id = o.id
where o.status <> 'cancelled'
group by 1;
