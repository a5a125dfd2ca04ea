"""The shop's books, as its operator reads them: sums by day, pages of payments, what a refund would take back.

Reads across money, jobs and customers. Of ``models`` only ``words`` imports it.
"""
