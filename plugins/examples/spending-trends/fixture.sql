-- Half a year of two users, beside the expenses that everyone starts with.
insert into public.expenses (owner_id, spent_on, merchant, category, amount, currency)
select 'a11ce000-0000-4000-8000-000000000001', date '2025-01-10' + make_interval(months => n - 1), merchant, category, amount, currency
from (values
    (1, 'Landlord', 'rent', 800.00, 'EUR'), (2, 'Landlord', 'rent', 800.00, 'EUR'), (3, 'Landlord', 'rent', 800.00, 'EUR'),
    (4, 'Landlord', 'rent', 800.00, 'EUR'), (5, 'Landlord', 'rent', 800.00, 'EUR'), (6, 'Landlord', 'rent', 800.00, 'EUR'),
    (1, 'Green Grocer', 'food', 310.20, 'EUR'), (2, 'Green Grocer', 'food', 295.10, 'EUR'), (3, 'Green Grocer', 'food', 305.00, 'EUR'),
    (4, 'Green Grocer', 'food', 299.95, 'EUR'), (5, 'Green Grocer', 'food', 312.40, 'EUR'), (6, 'Green Grocer', 'food', 480.05, 'EUR'),
    (3, 'Railways', 'travel', 89.00, 'EUR'), (6, 'Railways', 'travel', 12.50, 'USD')
) as spent (n, merchant, category, amount, currency);

insert into public.expenses (owner_id, spent_on, merchant, category, amount)
select 'b0b00000-0000-4000-8000-000000000002', date '2025-01-20' + make_interval(months => n - 1), 'mark_bob_expenses_petrol', 'car', amount
from (values (1, 71.30), (2, 69.90), (4, 75.25), (5, 70.05)) as spent (n, amount);
