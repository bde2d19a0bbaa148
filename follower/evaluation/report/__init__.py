"""An evaluation as one page that needs nothing else: tables, pictures, and the worst passages to listen to."""
